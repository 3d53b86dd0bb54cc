-- Looks at entries of the outbox.
--
-- ARGV[2]  most bytes of an entry      ARGV[3…] versions, and each with the digest of what is passed over there, or ''
--
-- Returns {1, [what is found]}, one for each version: 0 where there is nothing, or still what is passed over; the entry;
-- the digest alone of one that is too long, as the only member of a list.
local found = {}
for i = 3, #ARGV, 2 do
  local entry = redis.call('HGET', outboxKey, ARGV[i])
  local isKnown = not entry or (ARGV[i + 1] ~= '' and digestOf(entry) == ARGV[i + 1])
  found[#found + 1] = isKnown and 0 or #entry > tonumber(ARGV[2]) and {digestOf(entry)} or entry
end
return {1, found}
