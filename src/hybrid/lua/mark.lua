-- Puts an entry of the outbox in the place of the one that it was made from.
--
-- ARGV[2]  version      ARGV[3]  what is found in this entry only, as in ack.lua      ARGV[4]  the entry
--
-- Returns {1, whether it was still there}.
local entry = redis.call('HGET', outboxKey, ARGV[2])
local isThere = entry and string.find(entry, ARGV[3], 1, true)
if isThere then redis.call('HSET', outboxKey, ARGV[2], ARGV[4]) end
return {1, isThere and 1 or 0}
