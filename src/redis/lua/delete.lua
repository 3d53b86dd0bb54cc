-- Removes the session and leaves a tombstone, also if there is no session: a process may know one that Redis has lost,
-- and must find the tombstone instead of writing the session again.
--
-- ARGV[2]  operation id          ARGV[3]  fencing token, or ''     ARGV[4]  seen version, or ''
-- ARGV[5]  expected version, or ''                                 ARGV[6]  the session is below this version, or ''
-- ARGV[7]  life of the tombstone in ms                               ARGV[8]  the new version is above this one
-- ARGV[9]  the instant of the deletion, or '' for now               ARGV[10], ARGV[11]  input of enqueue()
--
-- Returns {1, version, fence, effect, operationBefore(), instant} or {0, reason, actual}. The effect: 0 there was no
-- session to remove, 1 there was one, 3 a repeated deletion.
--
-- A damaged session is removed even if its head is lost: the tombstone's version and fence then come from the fields,
-- and from what the caller has seen.
--
-- The entry in the outbox has the token of the owner who deletes, or the highest one that the deletion ends. The fence
-- of the tombstone is above it, and is nobody's token: if Redis loses the tombstone, the next owner may get that one.
-- Without a token, the fence is at least the instant, and so above the tokens of claims that Redis has lost.
if not damaged and hasHead then
  leaseLeft()
  if not areForks(redis.call('HGET', credsKey, 'forks') or '') then damaged = damaged or 'forks' end
end
if damaged and hasKeys and not areKeysForeign then
  local copy = redis.call('HMGET', keysKey, '@version', '@fence')
  version, fence = math.max(version, copy[1] and toCount(copy[1]) or 0), math.max(fence, copy[2] and toCount(copy[2]) or 0)
end
if damaged then version, incarnation = math.max(version, tonumber(string.match(ARGV[4], '^%d+')) or 0), '' end
local appliedVersion, appliedAt = findOperation(ARGV[2])
if appliedVersion then return {1, appliedVersion, fence, 3, operationBeforeRepeated(), appliedAt} end
if damaged then ops, isCold = '', false end -- its operations are unknown, and no load may replace it
local refusal = refuse(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if refusal then return refusal end
local isThere = damaged or isHalf or (hasHead and not isVacant)
local token = tonumber(ARGV[3])
now = tonumber(ARGV[9]) or now -- the entry has it as well
updatedAt = now
version = math.min(math.max(version, tonumber(ARGV[8])) + 1, MOST_COUNT - LEFT_COUNT)
fence = math.min(math.max(fence + 1, token and not damaged and token + 1 or updatedAt), MOST_COUNT - LEFT_COUNT)
if incarnation == '' then incarnation = ARGV[2] end -- no life of the session is known, so it is a history of its own
if outboxKey then enqueue(ARGV[10], '"fencingToken":' .. digits(token or fence - 1) .. ',' .. ARGV[11]) end
vacate(ARGV[7])
redis.call('HSET', credsKey, 'ops', withOperation(ARGV[2]))
return {1, version, fence, isThere and 1 or 0, operationBefore(), updatedAt}
