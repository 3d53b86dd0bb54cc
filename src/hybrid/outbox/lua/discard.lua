-- Removes a key of another type that has the name of a session's outbox.
--
-- Returns {1, number of keys removed}.
local count = redis.pcall('HLEN', outboxKey)
local isForeign = type(count) == 'table' and string.find(count.err, 'WRONGTYPE', 1, true)
return {1, isForeign and redis.call('UNLINK', outboxKey) or 0}
