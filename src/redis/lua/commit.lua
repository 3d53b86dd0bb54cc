-- Writes all fields of one commit or none.
--
-- ARGV[2]  operation id          ARGV[3]  fencing token, or ''     ARGV[4]  seen version, or ''
-- ARGV[5]  expected version, or ''                                 ARGV[6]  the session is below this version, or ''
-- ARGV[7]  the new version is above this one, or ''
-- ARGV[8]  life in ms, or '' for ever                              ARGV[9]  grace in ms
-- ARGV[10]  creds: 'keep', 'set' or 'drop'                          ARGV[11] the creds' envelope, or ''
-- ARGV[12] most entries that the outbox may hold            ARGV[13], ARGV[14]  what enqueue() makes an entry of
-- ARGV[15] number of fields to delete: their names follow, then names and envelopes of those to write
--
-- Returns {1, version, updatedAt, effect, entries in the outbox} or {0, reason, actual}. The effect is 0 for none, 1 for
-- a write, 2 for one that a session begins with, 3 for one that was applied before.
local operation, token, above = ARGV[2], ARGV[3], tonumber(ARGV[7])
local credsAction, deleteCount = ARGV[10], tonumber(ARGV[15])
local firstDelete, firstWrite = 16, 16 + deleteCount
local PAIRS = 1000 -- unpack fails near 8,000 values

local appliedVersion, appliedAt = findOperation(operation)
if appliedVersion then return {1, appliedVersion, appliedAt, 3, waiting()} end
local refusal = refuse(token, ARGV[4], ARGV[5], ARGV[6])
if refusal then return refusal end
if isHalf then return {0, 'INCOMPLETE', version} end

local writesNothing = credsAction ~= 'set' and firstWrite > #ARGV
local hasNoEffect = writesNothing and (not exists or (credsAction == 'keep' and deleteCount == 0))
if hasNoEffect and not above then return {1, version, updatedAt, 0, waiting()} end
if outboxKey and waiting() >= tonumber(ARGV[12]) then return {0, 'FULL', waiting()} end

-- Who still owns an expired session brings it back whole; for anyone else it begins anew.
local begins = not exists and not (isExpired and token ~= '')
if isExpired and begins then redis.call('DEL', credsKey, keysKey) end

version = math.max(version, above or 0) + 1
fence = math.max(fence, tonumber(token) or 0)
updatedAt = now
local at = endOf(ARGV[8])
local head = {'version', digits(version), 'fence', digits(fence), 'updatedAt', digits(updatedAt),
  'ops', withOperation(operation)}
local fields = {'@version', head[2], '@fence', head[4], '@updatedAt', head[6]}
if at then
  head[9], head[10] = 'expiresAt', at
  fields[7], fields[8] = '@expiresAt', at
end
if credsAction == 'set' then head[#head + 1], head[#head + 2] = 'data', ARGV[11] end
redis.call('HSET', credsKey, unpack(head))
if isVacant then redis.call('HDEL', credsKey, 'vacant') end
if credsAction == 'drop' then redis.call('HDEL', credsKey, 'data') end
for from = firstDelete, firstWrite - 1, PAIRS do
  redis.call('HDEL', keysKey, unpack(ARGV, from, math.min(from + PAIRS, firstWrite) - 1))
end
for i = firstWrite, #ARGV do
  if #fields == 2 * PAIRS then
    redis.call('HSET', keysKey, unpack(fields))
    fields = {}
  end
  fields[#fields + 1] = ARGV[i]
end
redis.call('HSET', keysKey, unpack(fields))
keep(ARGV[8], ARGV[9])
if outboxKey then enqueue(ARGV[13], (begins and '"begins":true,' or '') .. ARGV[14]) end
return {1, version, updatedAt, begins and 2 or 1, waiting()}
