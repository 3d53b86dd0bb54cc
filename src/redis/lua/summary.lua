-- Tells a catalogue of a session, from the head alone.
--
-- ARGV[2]  how many of the first bytes of the creds' envelope
--
-- Returns {1, exists, version, fence, updatedAt, incarnation, ops, createdAt or false, expiresAt or false, claim or false,
-- end of the lease or false, first bytes of the creds or false} or {0, reason, actual}.
local leftMs = not damaged and leaseLeft() or 0
if damaged then return {0, 'DAMAGED', damaged} end
if isCold then return {0, 'COLD', version} end
if isHalf then return {0, 'INCOMPLETE', version} end
local notes = redis.call('HMGET', credsKey, 'createdAt', 'expiresAt', 'claim', 'data')
return {1, exists and 1 or 0, version, fence, updatedAt, incarnation, ops, notes[1], notes[2], notes[3],
  leftMs > 0 and digits(now + leftMs), exists and notes[4] and string.sub(notes[4], 1, ARGV[2])}
