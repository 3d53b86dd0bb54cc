-- What Redis holds of a session.
--
-- ARGV[2]  an operation, or ''
--
-- Returns {1, state, version, fence, updatedAt, whether it remembers the operation, what is left of the lease in ms}; the
-- state is one of
--   cold      nothing, or a part          live      all of it
--   vacant    no session                  deleted   no session, by a deletion
--   expired   all of it, past its end
local leaseMs = not damaged and leaseLeft() or 0
if damaged then return {0, 'DAMAGED', damaged} end
local state = isCold and 'cold' or exists and 'live' or isExpired and 'expired' or ops ~= '' and 'deleted' or 'vacant'
return {1, state, version, fence, updatedAt, findOperation(ARGV[2]) and 1 or 0, leaseMs}
