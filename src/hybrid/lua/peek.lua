-- Tells what Redis holds of a session.
--
-- ARGV[2...]  operations
--
-- Returns {1, state, version, fence, updatedAt, {those of the operations that the head remembers}, remaining
-- lease in ms, the operation that took the version or '', the lowest version that the head remembers or ''}. The states:
--   cold      nothing, or a part          live      all of it
--   vacant    no session                  deleted   no session, by a deletion
--   expired   all of it, after its TTL
local leaseMs = not damaged and leaseLeft() or 0
if damaged then return {0, 'DAMAGED', damaged} end
local state = isCold and 'cold' or exists and 'live' or isExpired and 'expired' or ops ~= '' and 'deleted' or 'vacant'
local remembered = {}
for i = 2, #ARGV do
  if findOperation(ARGV[i]) then remembered[#remembered + 1] = ARGV[i] end
end
local last, atVersion = string.match(ops, '^(%S+) (%d+) ')
return {1, state, version, fence, updatedAt, remembered, leaseMs, tonumber(atVersion) == version and last or '',
  string.match(ops, ' (%d+) %d+\n$') or ''}
