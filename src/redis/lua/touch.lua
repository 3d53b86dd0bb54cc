-- Renews the life of an existing session.
--
-- ARGV[2]  life in ms, or '' for ever      ARGV[3]  grace in ms
--
-- Returns {1} or {0, reason, actual}.
if damaged then return {0, 'DAMAGED', damaged} end
if exists and not isHalf then
  keepBoth(ARGV[2], ARGV[3])
  local at = endOf(ARGV[2])
  if at then
    redis.call('HSET', keysKey, '@expiresAt', at)
    redis.call('HSET', credsKey, 'expiresAt', at)
  end
end
return {1}
