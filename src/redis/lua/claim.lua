-- Takes the next fencing token, whether or not the session exists.
--
-- ARGV[2]  life in ms, '' for ever, or 'kept' for as long as before      ARGV[3]  grace in ms      ARGV[4]  life of a vacant head in ms
-- ARGV[5]  length of the lease in ms, or '' for none              ARGV[6]  the token, or '' for the next one
-- ARGV[7]  the owner's label, or ''
--
-- The token is at least this server's time, so that it outranks all tokens from before a loss of the head (FLUSHALL, an
-- expired tombstone). Another database makes a given token in the same way. A given token that is not the highest comes
-- late, after a later owner's: that owner must not lose the session to a claim that may have been given up.
--
-- The token is written last: if Redis refuses a command of this script, the owner keeps the session.
--
-- Returns {1, token, exists, version, updatedAt, incarnation, ops, creds or false} or {0, reason, actual}.
local leftMs = not damaged and leaseLeft() or 0
if damaged then return {0, 'DAMAGED', damaged} end
if isCold then return {0, 'COLD', version} end
if isHalf then return {0, 'INCOMPLETE', version} end
if leftMs > 0 then return {0, 'LOCKED', leftMs} end
local given = tonumber(ARGV[6])
if given and given <= fence then return {0, 'COLD', version} end
local leaseUntil = ARGV[5] ~= '' and digits(now + ARGV[5])
local claim = digits(now) .. ' ' .. ARGV[7]

if isExpired then version, fence = version + 1, fence + 1 end
fence = math.max(fence + 1, given or now)
if fence >= MOST_COUNT or version >= MOST_COUNT then return {0, 'DAMAGED', 'fence'} end
probe()
if not exists then
  redis.call('PEXPIRE', credsKey, ARGV[4]) -- longer than the rest of its life
  if isExpired then vacate(ARGV[4]) end
  if not leaseUntil then redis.call('HDEL', credsKey, 'leaseUntil') end
  local head = {'version', digits(version), 'fence', digits(fence), 'vacant', '1', 'claim', claim}
  if leaseUntil then head[9], head[10] = 'leaseUntil', leaseUntil end
  redis.call('HSET', credsKey, unpack(head))
  return {1, fence, 0, version, updatedAt, incarnation, ops, false}
end

local creds = redis.call('HGET', credsKey, 'data')
local isKept = ARGV[2] == 'kept'
if not isKept then keepBoth(ARGV[2], ARGV[3]) end
if not leaseUntil then redis.call('HDEL', credsKey, 'leaseUntil') end
local head, copy = {'fence', digits(fence), 'claim', claim}, {'@fence', digits(fence)}
local at = not isKept and endOf(ARGV[2])
if at then
  head[5], head[6] = 'expiresAt', at
  copy[3], copy[4] = '@expiresAt', at
end
if leaseUntil then head[#head + 1], head[#head + 2] = 'leaseUntil', leaseUntil end
redis.call('HSET', keysKey, unpack(copy))
redis.call('HSET', credsKey, unpack(head))
return {1, fence, 1, version, updatedAt, incarnation, ops, creds}
