-- Loads a session: replaces what Redis holds by what MongoDB holds. I9: only if Redis still holds what the caller has
-- seen, and while no entry waits.
--
-- ARGV[2]  the version that the caller has seen here, after 'cold' if it was cold: an eviction may leave a version
-- ARGV[3]  version      ARGV[4]  fence      ARGV[5]  updatedAt
-- ARGV[6]  expiresAt, or '' for ever                  ARGV[7]  grace in ms
-- ARGV[8]  the last operations, the highest version first     ARGV[9]  life of a vacant head in ms
-- ARGV[10] 'session' or 'vacant'                      ARGV[11] the creds' envelope, or '' for none
-- ARGV[12] 'version digest,version digest' of parked and unreadable entries, which hold up no load
-- ARGV[13] incarnation      ARGV[14] forks               ARGV[15…] names and envelopes of the fields
--
-- Returns {1, version}, or {0, 'RETRY', version} if Redis holds something else than the caller has seen, or if an entry
-- waits for MongoDB.
--
-- The script writes the head last. If Redis refuses a command midway, the session is cold, and the next call loads it
-- again.
if damaged then return {0, 'DAMAGED', damaged} end
local found = (isCold and 'cold' or '') .. digits(version)
if found ~= ARGV[2] then return {0, 'RETRY', version} end
local MOST_VERSION = MOST_COUNT -- as in outbox-entry.ts
local passedOver = {}
for parked, digest in string.gmatch(ARGV[12], '(%d+) (%x+)') do passedOver[parked] = digest end
for _, waiting in ipairs(redis.call('HKEYS', outboxKey)) do
  -- Other names are no versions: they never reach MongoDB, and hold up nothing.
  local isVersion = string.find(waiting, '^[1-9]%d*$') and tonumber(waiting) <= MOST_VERSION
  local isParked = passedOver[waiting] and passedOver[waiting] == digestOf(redis.call('HGET', outboxKey, waiting))
  if isVersion and not isParked then return {0, 'RETRY', version} end
end

local leaseUntil = redis.call('HGET', credsKey, 'leaseUntil')
local claim = redis.call('HGET', credsKey, 'claim')
version, fence = math.max(version, tonumber(ARGV[3])), math.max(fence, tonumber(ARGV[4]))
updatedAt = tonumber(ARGV[5])
if version >= MOST_COUNT or fence >= MOST_COUNT then return {0, 'DAMAGED', version >= MOST_COUNT and 'version' or 'fence'} end
local head = {'version', digits(version), 'fence', digits(fence), 'updatedAt', digits(updatedAt), 'ops', ARGV[8],
  'incarnation', ARGV[13], 'forks', ARGV[14]}
if leaseUntil then head[#head + 1], head[#head + 2] = 'leaseUntil', leaseUntil end
if claim then head[#head + 1], head[#head + 2] = 'claim', claim end
if ARGV[10] == 'vacant' then head[#head + 1], head[#head + 2] = 'vacant', '1' end
local MINUTE = 60000 -- an expired session stays this long for the caller that loads it
local lifeMs = ARGV[10] == 'vacant' and ARGV[9]
  or ARGV[6] ~= '' and digits(math.max(ARGV[6] + ARGV[7] - now, MINUTE))
redis.call('UNLINK', credsKey, keysKey)
if lifeMs then redis.call('PEXPIRE', keysKey, lifeMs) end -- a user without PEXPIRE fails before the copy is written

if ARGV[10] ~= 'vacant' then
  local operation, atVersion = string.match(ARGV[8], '^(%S+) (%d+) ')
  local copy = {'@version', head[2], '@fence', head[4], '@updatedAt', head[6],
    '@history', ARGV[13] .. ' ' .. (tonumber(atVersion) == version and operation or '')}
  if ARGV[6] ~= '' then
    copy[9], copy[10] = '@expiresAt', ARGV[6]
    head[#head + 1], head[#head + 2] = 'expiresAt', ARGV[6]
  end
  redis.call('HSET', keysKey, unpack(copy))
  for from = 15, #ARGV, 2000 do
    redis.call('HSET', keysKey, unpack(ARGV, from, math.min(from + 1999, #ARGV)))
  end
  if lifeMs then redis.call('PEXPIRE', keysKey, lifeMs) end
  if ARGV[11] ~= '' then head[#head + 1], head[#head + 2] = 'data', ARGV[11] end
end
redis.call('HSET', credsKey, unpack(head))
if lifeMs then redis.call('PEXPIRE', credsKey, lifeMs) end
return {1, version}
