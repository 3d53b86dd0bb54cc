-- Reads entries of the outbox.
--
-- ARGV[2]  most bytes of an entry      ARGV[3…] version, digest, version, digest, …; '' for no digest
--
-- Returns {1, [one reply for each version]}: 0 if nothing is stored there, or what has this digest; {digest} if the
-- entry is longer than ARGV[2]; else the entry.
local found = {}
for i = 3, #ARGV, 2 do
  local entry = redis.call('HGET', outboxKey, ARGV[i])
  local isKnown = not entry or (ARGV[i + 1] ~= '' and digestOf(entry) == ARGV[i + 1])
  found[#found + 1] = isKnown and 0 or #entry > tonumber(ARGV[2]) and {digestOf(entry)} or entry
end
return {1, found}
