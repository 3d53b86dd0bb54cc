-- Makes a lock end sooner or later than set, if the caller still holds it.
--
-- KEYS[1]  the lock      ARGV[1]  its holder      ARGV[2]  time until it ends, in ms
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {1}
