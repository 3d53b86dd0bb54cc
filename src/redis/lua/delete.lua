-- Removes the session and leaves a tombstone.
--
-- ARGV[2]  operation id          ARGV[3]  fencing token, or ''     ARGV[4]  seen version, or ''
-- ARGV[5]  expected version, or ''                                 ARGV[6]  the session is below this version, or ''
-- ARGV[7]  life of the tombstone in ms
-- ARGV[8], ARGV[9]  what enqueue() makes an entry of
--
-- Returns {1, version, fence, effect, entries in the outbox} or {0, reason, actual}. The effect is 0 where there was no
-- session to remove, 1 for a deletion, 3 for one that was applied before.
local appliedVersion = findOperation(ARGV[2])
if appliedVersion then return {1, appliedVersion, fence, 3, waiting()} end
local refusal = refuse(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if refusal then return refusal end
local isThere = isHalf or (hasHead and not isVacant)
if isThere then
  vacate(ARGV[7])
  redis.call('HSET', credsKey, 'ops', withOperation(ARGV[2]))
  if outboxKey then enqueue(ARGV[8], '"fencingToken":' .. digits(fence) .. ',' .. ARGV[9]) end
end
return {1, version, fence, isThere and 1 or 0, waiting()}
