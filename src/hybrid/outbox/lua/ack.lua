-- Removes the entries of writes that MongoDB has. I5: a failover may have given a version to another write, so a
-- version is removed only where its entry contains the mark of the write.
--
-- ARGV[2…] version, mark, version, mark, …
--
-- Returns {1}.
for i = 2, #ARGV, 2 do
  local entry = redis.call('HGET', outboxKey, ARGV[i])
  if entry and string.find(entry, ARGV[i + 1], 1, true) then redis.call('HDEL', outboxKey, ARGV[i]) end
end
return {1}
