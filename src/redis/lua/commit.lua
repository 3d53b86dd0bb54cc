-- Writes all fields of one commit or none.
--
-- The version and the operation come last: if Redis refuses a command midway (a right of the user, memory), a
-- repetition of the commit does not count as done.
--
-- ARGV[2]  operation id          ARGV[3]  fencing token, or ''     ARGV[4]  seen version, or ''
-- ARGV[5]  expected version, or ''                                 ARGV[6]  the session is below this version, or ''
-- ARGV[7]  '', or for a heal: "<above> <at> <from>\n<journal>". The new version is above `above`; with `from`, the
--          session becomes a new incarnation, which continues from version `at` of `from`. The journal lists the fields
--          that the heal writes again, with their versions.
-- ARGV[8]  life in ms, '' for ever, or 'kept' for as long as before    ARGV[9]  grace in ms
-- ARGV[10]  creds: 'keep', 'need' (there must be a session), 'set' or 'drop'
-- ARGV[11]  the creds' envelope, or ''
-- ARGV[12] most entries that the outbox may hold            ARGV[13], ARGV[14]  input of enqueue()
-- ARGV[15] number of fields to delete: their names follow, then names and envelopes of the fields to write
--
-- After a heal, "@journal" keeps for JOURNAL_MS which version has written which field. Other processes, which notice
-- the rewind later, see by it which of their own writes are older. Its format: "+", and then NUL, name, NUL, version
-- for each write; "*" if it is incomplete.
--
-- Returns {1, version, updatedAt, effect, operationBefore(), incarnation} or {0, reason, actual}. The effect: 0
-- nothing, 1 a write, 2 a write that begins a session; 3 and 4 are repeated writes of these two kinds.
local operation, token = ARGV[2], ARGV[3]
local credsAction, deleteCount = ARGV[10], tonumber(ARGV[15])
local needsSession = credsAction == 'need'
if needsSession then credsAction = 'keep' end
local isKept = ARGV[8] == 'kept'
local lifeMs = isKept and '' or ARGV[8]
local firstDelete, firstWrite = 16, 16 + deleteCount
local PAIRS = 1000 -- unpack fails near 8,000 values
local JOURNAL_MS, MAX_JOURNAL_BYTES, MAX_FORKS = 60 * 60 * 1000, 64 * 1024, 8

local above, forkAt, forkFrom, replayed
if ARGV[7] ~= '' then
  above, forkAt, forkFrom, replayed = string.match(ARGV[7], '^(%d+) (%d*) (%S*)\n(.*)$')
  above = tonumber(above)
end

-- The forks of core/store/histories.ts, with a new one at this version.
local function withFork(forks, from, at)
  local lines = {}
  if from ~= '' then lines[1] = from .. ' ' .. at .. ' ' .. digits(version) end
  for line in string.gmatch(forks, '[^\n]+') do
    if #lines == MAX_FORKS then break end
    lines[#lines + 1] = line
  end
  return table.concat(lines, '\n')
end

-- The journal with the fields of this commit. replayed: the fields of a heal, under their own versions.
local function withWrites(journal, replayed)
  if string.sub(journal, -1) == '*' then return journal end
  local written = {journal, replayed}
  if not replayed then
    local at = '\0' .. digits(version)
    if credsAction ~= 'keep' then written[#written + 1] = '\0creds:' .. at end
    for i = firstDelete, firstWrite - 1 do written[#written + 1] = '\0' .. ARGV[i] .. at end
    for i = firstWrite, #ARGV, 2 do written[#written + 1] = '\0' .. ARGV[i] .. at end
  end
  local text = table.concat(written)
  return #text > MAX_JOURNAL_BYTES and '*' or text
end

if damaged then return {0, 'DAMAGED', damaged} end
local appliedVersion, appliedAt = findOperation(operation)
if appliedVersion then
  local hasBegun = incarnation == operation and not above -- else the session has another incarnation by now
  return {1, appliedVersion, appliedAt, hasBegun and 4 or 3, operationBeforeRepeated(), incarnation}
end
local refusal = refuse(token, ARGV[4], ARGV[5], ARGV[6])
if refusal then return refusal end
if isHalf then return {0, 'INCOMPLETE', version} end

local writesNothing = credsAction ~= 'set' and firstWrite > #ARGV
local hasNoEffect = writesNothing and (not exists or (credsAction == 'keep' and deleteCount == 0))
if hasNoEffect and not above then return {1, version, updatedAt, 0, '', incarnation} end
if outboxKey and waiting() >= tonumber(ARGV[12]) then return {0, 'FULL', waiting()} end

-- The owner of an expired session brings it back whole; for other writers, a new session begins.
local begins = not exists and not (isExpired and token ~= '')
if begins and needsSession then return {0, 'NOTHING', version} end
local isHeal = forkFrom ~= nil and forkFrom ~= ''
if begins and not isHeal then forkFrom, forkAt = incarnation, digits(version) end
local storedForks = isHeal and redis.call('HGET', credsKey, 'forks') or '' -- those of the last life end with it
if #storedForks > MOST_OPS_BYTES then return {0, 'DAMAGED', 'forks'} end

version = math.max(version, above or 0) + 1
fence = math.max(fence, tonumber(token) or 0)
if version >= MOST_COUNT or fence >= MOST_COUNT then return {0, 'DAMAGED', version >= MOST_COUNT and 'version' or 'fence'} end
updatedAt = now
local at = endOf(lifeMs)
local head = {'version', digits(version), 'fence', digits(fence), 'updatedAt', digits(updatedAt),
  'ops', withOperation(operation)}
local copy = {'@version', head[2], '@fence', head[4], '@updatedAt', head[6]}
if at then
  head[9], head[10] = 'expiresAt', at
  copy[7], copy[8] = '@expiresAt', at
end
-- In front of MongoDB, a session of an earlier release gets no incarnation: MongoDB would not know it.
if begins or isHeal or (incarnation == '' and not outboxKey) then
  incarnation = operation
  head[#head + 1], head[#head + 2] = 'incarnation', incarnation
  if begins or isHeal then head[#head + 1], head[#head + 2] = 'forks', withFork(storedForks, forkFrom, forkAt) end
end
copy[#copy + 1], copy[#copy + 2] = '@history', incarnation .. ' ' .. operation
if isHeal then
  journalUntil = now + JOURNAL_MS
  head[#head + 1], head[#head + 2] = 'journalUntil', digits(journalUntil)
end
local hadJournal = journalUntil
if journalUntil then
  local journal = now < journalUntil and withWrites(redis.call('HGET', keysKey, '@journal') or isHeal and '+' or '*', replayed)
  if journal then
    copy[#copy + 1], copy[#copy + 2] = '@journal', journal
  else
    journalUntil = nil
  end
end
if begins then head[#head + 1], head[#head + 2] = 'createdAt', digits(now) end
if credsAction == 'set' then head[#head + 1], head[#head + 2] = 'data', ARGV[11] end

probe()
if begins then
  keep(lifeMs, ARGV[9], keysKey) -- no key yet: a user without PEXPIRE is refused here
  redis.call('HDEL', credsKey, '')
elseif not isKept then
  keepBoth(lifeMs, ARGV[9])
end
if outboxKey then enqueue(ARGV[13], (begins and '"begins":true,' or '') .. ARGV[14]) end
if isExpired and begins then redis.call('UNLINK', credsKey, keysKey) end
for from = firstDelete, firstWrite - 1, PAIRS do
  redis.call('HDEL', keysKey, unpack(ARGV, from, math.min(from + PAIRS, firstWrite) - 1))
end
while #ARGV - firstWrite >= 2 * PAIRS do
  redis.call('HSET', keysKey, unpack(ARGV, firstWrite, firstWrite + 2 * PAIRS - 1))
  firstWrite = firstWrite + 2 * PAIRS
end
for i = firstWrite, #ARGV do copy[#copy + 1] = ARGV[i] end -- @version with the last of them
redis.call('HSET', keysKey, unpack(copy))
if begins then keep(lifeMs, ARGV[9], keysKey) end
if isVacant then redis.call('HDEL', credsKey, 'vacant') end
if hadJournal and not journalUntil then
  redis.call('HDEL', keysKey, '@journal')
  redis.call('HDEL', credsKey, 'journalUntil')
end
if credsAction == 'drop' then redis.call('HDEL', credsKey, 'data') end
redis.call('HSET', credsKey, unpack(head))
if begins then keep(lifeMs, ARGV[9], credsKey) end
return {1, version, updatedAt, begins and 2 or 1, operationBefore(), incarnation}
