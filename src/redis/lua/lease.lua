-- Sets when the owner's lease ends.
--
-- ARGV[2]  fencing token of the owner      ARGV[3]  length of the lease in ms, or '' to end it now
--
-- Returns {1} or {0, reason, actual}.
if damaged then return {0, 'DAMAGED', damaged} end
local hasLostClaim = outboxKey and tonumber(ARGV[2]) > fence
if isCold or hasLostClaim then return {0, 'COLD', version} end
if not hasHead or tonumber(ARGV[2]) < fence then return {0, 'FENCED', exists and fence or -1} end
if ARGV[3] == '' then
  redis.call('HDEL', credsKey, 'leaseUntil')
else
  redis.call('HSET', credsKey, 'leaseUntil', digits(now + ARGV[3]))
end
return {1}
