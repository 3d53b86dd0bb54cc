-- Puts a session as MongoDB holds it in the place of what Redis holds.
--
-- ARGV[2]  the version that was found here, after 'cold' where it was cold: what is left after an eviction has one, too
-- ARGV[3]  version      ARGV[4]  fence      ARGV[5]  updatedAt
-- ARGV[6]  expiresAt, or '' for ever                  ARGV[7]  grace in ms
-- ARGV[8]  the last operations                        ARGV[9]  life of a vacant head in ms
-- ARGV[10] 'session' or 'vacant'                      ARGV[11] the creds' envelope, or '' for none
-- ARGV[12] ',version,version,' of entries that cannot be applied
-- ARGV[13] incarnation      ARGV[14] forks               ARGV[15…] names and envelopes of the fields
--
-- Returns {1, version} or {0, 'RETRY', version}: something has changed here since, or another write waits that MongoDB
-- does not have.
local found = (isCold and 'cold' or '') .. digits(version)
if found ~= ARGV[2] then return {0, 'RETRY', version} end
for _, waiting in ipairs(redis.call('HKEYS', outboxKey)) do
  if not string.find(ARGV[12], ',' .. waiting .. ',', 1, true) then return {0, 'RETRY', version} end
end

local leaseUntil = redis.call('HGET', credsKey, 'leaseUntil')
version, fence = math.max(version, tonumber(ARGV[3])), math.max(fence, tonumber(ARGV[4]))
updatedAt = tonumber(ARGV[5])
redis.call('DEL', credsKey, keysKey)
redis.call('HSET', credsKey, 'version', digits(version), 'fence', digits(fence), 'updatedAt', digits(updatedAt),
  'ops', ARGV[8], 'incarnation', ARGV[13], 'forks', ARGV[14])
if leaseUntil then redis.call('HSET', credsKey, 'leaseUntil', leaseUntil) end
if ARGV[10] == 'vacant' then
  redis.call('HSET', credsKey, 'vacant', '1')
  redis.call('PEXPIRE', credsKey, ARGV[9])
  return {1, version}
end

redis.call('HSET', keysKey, '@version', digits(version), '@fence', digits(fence), '@updatedAt', digits(updatedAt),
  '@history', ARGV[13])
if ARGV[11] ~= '' then redis.call('HSET', credsKey, 'data', ARGV[11]) end
for from = 15, #ARGV, 2000 do
  redis.call('HSET', keysKey, unpack(ARGV, from, math.min(from + 1999, #ARGV)))
end
if ARGV[6] ~= '' then
  local MINUTE = 60000 -- what has ended long ago is still there for who is about to ask for it
  local lifeMs = digits(math.max(ARGV[6] + ARGV[7] - now, MINUTE))
  redis.call('HSET', credsKey, 'expiresAt', ARGV[6])
  redis.call('HSET', keysKey, '@expiresAt', ARGV[6])
  redis.call('PEXPIRE', credsKey, lifeMs)
  redis.call('PEXPIRE', keysKey, lifeMs)
end
return {1, version}
