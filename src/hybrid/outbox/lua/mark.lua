-- Replaces an entry of the outbox by a later state of the same write.
--
-- ARGV[2]  version      ARGV[3]  the write's mark, as in ack.lua      ARGV[4]  the new text of the entry
--
-- Returns {1, 1 if the entry was still there, else 0}.
local entry = redis.call('HGET', outboxKey, ARGV[2])
local isThere = entry and string.find(entry, ARGV[3], 1, true)
if isThere then redis.call('HSET', outboxKey, ARGV[2], ARGV[4]) end
return {1, isThere and 1 or 0}
