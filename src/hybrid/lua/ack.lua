-- Removes entries from the outbox that MongoDB has.
--
-- ARGV[2…] versions, and each with what is found in its own entry only: the version is another write's after a failover
--
-- Returns {1}.
for i = 2, #ARGV, 2 do
  local entry = redis.call('HGET', outboxKey, ARGV[i])
  if entry and string.find(entry, ARGV[i + 1], 1, true) then redis.call('HDEL', outboxKey, ARGV[i]) end
end
return {1}
