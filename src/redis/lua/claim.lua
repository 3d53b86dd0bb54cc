-- Takes the next fencing token, whether or not the session exists.
--
-- ARGV[2]  life in ms, or '' for ever      ARGV[3]  grace in ms      ARGV[4]  life of a vacant head in ms
-- ARGV[5]  length of the lease in ms, or '' for none              ARGV[6]  the token, or '' for the next one
--
-- The token is at least this server's time, so that it outranks all tokens from before a loss of the head (FLUSHALL,
-- a tombstone that has expired); one that is given was made so by another database. A given one that is not the highest
-- comes late, after a later owner: that one must not lose the session to who may have given up.
--
-- Returns {1, token, exists, version, updatedAt, incarnation, ops, creds or false} or {0, reason, actual}.
if isCold then return {0, 'COLD', version} end
if isHalf then return {0, 'INCOMPLETE', version} end
local leftMs = leaseLeft()
if leftMs > 0 then return {0, 'LOCKED', leftMs} end
local given = tonumber(ARGV[6])
if given and given <= fence then return {0, 'COLD', version} end
if isExpired then vacate(ARGV[4]) end
fence = math.max(fence + 1, given or now)
redis.call('HSET', credsKey, 'version', digits(version), 'fence', digits(fence))
if ARGV[5] == '' then
  redis.call('HDEL', credsKey, 'leaseUntil')
else
  redis.call('HSET', credsKey, 'leaseUntil', digits(now + ARGV[5]))
end
if not exists then
  redis.call('HSET', credsKey, 'vacant', '1')
  redis.call('PEXPIRE', credsKey, ARGV[4])
  return {1, fence, 0, version, updatedAt, incarnation, toldOps, false}
end
redis.call('HSET', keysKey, '@fence', digits(fence))
renew(ARGV[2], ARGV[3])
return {1, fence, 1, version, updatedAt, incarnation, toldOps, redis.call('HGET', credsKey, 'data')}
