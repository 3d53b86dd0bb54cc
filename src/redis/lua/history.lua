-- Tells a process about a history other than its own.
--
-- ARGV[2…] names of fields; "creds:" for the creds
--
-- Returns {1, exists, version, fence, updatedAt, incarnation, ops, forks, journal, 1 or 0 for each field: it is there,
-- 1 or 0: it was deleted}, or {0, reason, actual}. The journal is that of commit.lua, or '' if there is none.
if damaged then return {0, 'DAMAGED', damaged} end
if isCold then return {0, 'COLD', version} end
if isHalf then return {0, 'INCOMPLETE', version} end
local isThere = {}
for i = 2, #ARGV do
  if ARGV[i] == 'creds:' then
    isThere[i - 1] = redis.call('HEXISTS', credsKey, 'data')
  else
    isThere[i - 1] = redis.call('HEXISTS', keysKey, ARGV[i])
  end
end
local isKept = journalUntil and now < journalUntil
local journal = isKept and redis.call('HGET', keysKey, '@journal') or ''
return {1, exists and 1 or 0, version, fence, updatedAt, incarnation, ops,
  redis.call('HGET', credsKey, 'forks') or '', journal, isThere, isVacant and ops ~= '' and 1 or 0}
