-- Releases a lock, if the caller still holds it (redis.io, "Distributed Locks with Redis").
--
-- KEYS[1]  the lock      ARGV[1]  its holder
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {1}
