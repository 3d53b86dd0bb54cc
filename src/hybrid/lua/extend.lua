-- Has a lock that is still one's own end later, or earlier.
--
-- KEYS[1]  the lock      ARGV[1]  who has it      ARGV[2]  in how many ms it ends
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {1}
