-- Tells what Redis holds of a session.
--
-- ARGV[2]  an operation, or ''
--
-- Returns {1, state, version, fence, updatedAt, 1 if the head remembers the operation, remaining lease in ms}. The
-- states:
--   cold      nothing, or a part          live      all of it
--   vacant    no session                  deleted   no session, by a deletion
--   expired   all of it, after its TTL
local leaseMs = not damaged and leaseLeft() or 0
if damaged then return {0, 'DAMAGED', damaged} end
local state = isCold and 'cold' or exists and 'live' or isExpired and 'expired' or ops ~= '' and 'deleted' or 'vacant'
return {1, state, version, fence, updatedAt, findOperation(ARGV[2]) and 1 or 0, leaseMs}
