-- Gives a lock back that is still one's own (redis.io, "Distributed Locks with Redis").
--
-- KEYS[1]  the lock      ARGV[1]  who has it
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {1}
