-- Removes a key that has the name of an outbox and is of another type.
--
-- Returns {1, how many keys it has removed}.
local count = redis.pcall('HLEN', outboxKey)
local isForeign = type(count) == 'table' and string.find(count.err, 'WRONGTYPE', 1, true)
return {1, isForeign and redis.call('UNLINK', outboxKey) or 0}
