-- Begins every script that changes or judges a session: reads and checks its state.
--
-- KEYS[1]  hash of the head and the creds: version, fence, updatedAt, expiresAt, vacant, leaseUntil, ops, incarnation,
--          forks, journalUntil, createdAt, claim (the instant of the last one, a space and its owner's label), data
-- KEYS[2]  hash of the keys: "type:id" -> envelope; @version, @fence, @updatedAt, @expiresAt as in the head; @history:
--          the incarnation, a space and the operation that wrote the version; @journal: the writes since a heal, see
--          commit.lua
-- KEYS[3]  only in front of MongoDB: hash of the outbox, version -> entry as JSON
-- ARGV[1]  now in milliseconds, or '' for this server's clock
--
-- All instants are milliseconds since the epoch. A session without expiresAt lives for ever. "vacant" marks a head
-- without a session: claimed and not yet written, or deleted.
--
-- Every stored member is checked here. Scripts refuse a damaged session with {0, 'DAMAGED', member}; only a deletion
-- goes on.
local credsKey, keysKey, outboxKey = KEYS[1], KEYS[2], KEYS[3]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- MOST: the last instant in JavaScript. MOST_COUNT: the limit of versions and tokens, MAX_STORED_COUNT of
-- core/store/arguments.ts. A number of this size or more is damage. LEFT_COUNT: how far below it a deletion leaves a session
-- whose numbers are near it, so that those who come next have numbers left.
local MOST, MOST_COUNT, LEFT_COUNT = 8640000000000000, 2250700302057472, 549755813888
local DAY_MS = 24 * 60 * 60 * 1000
local MOST_OPS_BYTES = 16384 -- ten times the longest text that the library writes
local damaged -- the first member of the head that this library cannot have written

local function toWhole(text)
  local number = #text <= 16 and string.find(text, '^%d+$') and tonumber(text)
  return number and number < MOST and number or nil
end

local function toCount(text)
  local number = toWhole(text)
  return number and number < MOST_COUNT and number or nil
end

local stored = redis.pcall('HMGET', credsKey, 'version', 'fence', 'updatedAt', 'expiresAt', 'vacant', 'ops',
  'incarnation', 'journalUntil')
local size = redis.pcall('HLEN', keysKey)
local areKeysForeign = type(size) == 'table' -- a key of another type
if stored.err or areKeysForeign then
  local failure = stored.err and stored or size
  if not string.find(failure.err, 'WRONGTYPE', 1, true) then return failure end
  damaged = stored.err and 'type of ":creds"' or 'type of ":keys"'
  stored, size = stored.err and {} or stored, 1
end
local copied = damaged and {'0'} or size > 0 and redis.call('HMGET', keysKey, '@version', '@expiresAt', '@history') or {}

local hasHead = stored[1] and true or false
local hasKeys = size > 0
local version, fence = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
local updatedAt, expiresAt = tonumber(stored[3] or 0), tonumber(stored[4] or nil)
local isVacant, ops = stored[5] and true or false, stored[6] or ''
local incarnation, journalUntil = stored[7] or '', tonumber(stored[8] or nil) -- see core/store/histories.ts and commit.lua
-- In one match, since each one takes time.
local texts = (stored[1] or 0) .. ' ' .. (stored[2] or '') .. ' ' .. (stored[3] or 0) .. ' ' .. (stored[4] or 0) .. ' '
  .. (stored[8] or 0) .. ' ' .. incarnation
if not string.find(texts, '^%d+ %d+ %d+ %d+ %d+ [!-~]*$') or version >= MOST_COUNT or fence >= MOST_COUNT or updatedAt >= MOST
  or (expiresAt and expiresAt >= MOST) or (journalUntil and journalUntil >= MOST) or #incarnation > 256 then
  local names = {'version', 'fence', 'updatedAt', 'expiresAt', [8] = 'journalUntil'}
  for i, name in pairs(names) do
    local isMissing = not stored[i] and (name ~= 'fence' or not hasHead)
    local read = i <= 2 and toCount or toWhole
    if not isMissing and not read(stored[i] or '') then damaged = damaged or name end
  end
  version, fence = toCount(stored[1] or '') or 0, toCount(stored[2] or '') or 0
  updatedAt, expiresAt = toWhole(stored[3] or '') or 0, toWhole(stored[4] or '')
  journalUntil = toWhole(stored[8] or '')
  if #incarnation > 256 or string.find(incarnation, '[^!-~]') then damaged, incarnation = damaged or 'incarnation', '' end
end
if isVacant and stored[5] ~= '1' then damaged = damaged or 'vacant' end
local areOps = ops == '' or (#ops <= MOST_OPS_BYTES and string.byte(ops, -1) == 10
  and string.find(ops, '^[^ \n]* %d+ %d+\n'))
if not areOps then damaged, ops = damaged or 'ops', '' end
if not hasHead and not damaged and redis.call('EXISTS', credsKey) == 1 then damaged = 'version' end
-- The later of the two ends: a damaged one does not end a life, and no script leaves a copy later than the head's.
if expiresAt then expiresAt = math.max(expiresAt, toWhole(copied[2] or '') or 0) end
local isLive = hasHead and not isVacant
local isExpired = isLive and expiresAt ~= nil and expiresAt <= now
local exists = isLive and not isExpired
-- Scripts write, renew and remove both hashes together: one alone is the result of an eviction or a partial restore.
local isHalf = hasKeys ~= isLive or (isLive and not copied[1])
-- True if the two hashes are of different times, as after a partial restore. A script that Redis stops midway leaves the
-- copy one version ahead, or further ahead in another incarnation (a heal): the write is repeated.
local function compareHalves()
  local copiedVersion = toCount(copied[1] or '')
  if damaged or isHalf or not isLive or not copiedVersion then return false end
  local copiedIncarnation, copiedOperation = string.match(copied[3] or '', '^(%S*) ?(%S*)$')
  local isOther = copiedIncarnation ~= '' and incarnation ~= '' and copiedIncarnation ~= incarnation
  if not copiedIncarnation or copiedVersion < version then return true end
  if copiedVersion > version then return copiedVersion > version + 1 and not isOther end
  local operation, atVersion = string.match(ops, '^(%S*) (%d+) ')
  return isOther or (copiedOperation ~= '' and tonumber(atVersion) == version and copiedOperation ~= operation)
end
local isTorn = compareHalves()
-- In front of MongoDB, a session that is not whole was evicted or lost: it has to be loaded from MongoDB.
local isCold = outboxKey ~= nil and (isHalf or isTorn or not hasHead)
if isTorn and not outboxKey then damaged = damaged or 'TORN' end
if hasKeys and not hasHead and not damaged then
  local copy = redis.call('HMGET', keysKey, '@version', '@fence')
  version, fence = copy[1] and toCount(copy[1]) or 0, copy[2] and toCount(copy[2]) or 0
end

-- Lua prints large numbers as 1.79e+12.
local function digits(number)
  return string.format('%.0f', number)
end

-- The first write of a script that needs memory. Redis checks its memory before the first write only, and undoes
-- nothing when it refuses a later command. This write changes nothing, except that it may begin a vacant head.
local function probe()
  if hasHead then
    redis.call('HSET', credsKey, 'version', stored[1])
  else
    redis.call('HSET', credsKey, 'version', '0', 'fence', '0', 'vacant', '1')
    isVacant = true
  end
end

-- Whether this is the text of core/store/histories.ts: an incarnation and two versions a line.
local function areForks(text)
  return text == '' or (#text <= MOST_OPS_BYTES and string.gsub(text .. '\n', '%S+ %d+ %d+\n', '') == '')
end

-- Replaces the session and all its fields by a head with version and fence, also if memory is short. A user without
-- HSET is refused before anything is removed.
local function vacate(tombstoneMs)
  if not damaged then redis.call('HDEL', credsKey, '') end
  if hasHead and not damaged then probe() end
  local forks = hasHead and not damaged and redis.call('HGET', credsKey, 'forks') or ''
  if not areForks(forks) then forks = '' end -- damage
  redis.call('UNLINK', keysKey)
  redis.call('UNLINK', credsKey)
  redis.call('HSET', credsKey, 'version', digits(version), 'fence', digits(fence), 'updatedAt', digits(updatedAt),
    'vacant', '1', 'incarnation', incarnation, 'forks', forks)
  redis.call('PEXPIRE', credsKey, tombstoneMs)
  ops, exists, isVacant = '', false, true
end

-- When a life that begins now ends; nil: never. lifeMs: '' is for ever.
local function endOf(lifeMs)
  return lifeMs ~= '' and digits(now + lifeMs) or nil
end

-- Keeps a hash for the session's life, and for graceMs more in case its owner comes back.
local function keep(lifeMs, graceMs, key)
  if lifeMs ~= '' then
    redis.call('PEXPIRE', key, digits(lifeMs + graceMs))
  elseif expiresAt or isVacant then
    redis.call('PERSIST', key)
  end
end

local function keepBoth(lifeMs, graceMs)
  if lifeMs ~= '' then
    local ms = digits(lifeMs + graceMs)
    redis.call('PEXPIRE', credsKey, ms)
    redis.call('PEXPIRE', keysKey, ms)
  elseif expiresAt then
    redis.call('PERSIST', credsKey)
    redis.call('PERSIST', keysKey)
    redis.call('HDEL', credsKey, 'expiresAt')
    redis.call('HDEL', keysKey, '@expiresAt')
  end
end

-- The version and the instant of an operation that was applied before, else nil. Takes time linear in the length of
-- "ops".
local function findOperation(id)
  local from, line = 1, id .. ' '
  while true do
    local at, last = string.find(ops, line, from, true)
    if not at then return end
    if at == 1 or string.byte(ops, at - 1) == 10 then
      local _, _, atVersion, instant = string.find(ops, '^(%d+) (%d+)\n', last + 1)
      if atVersion then return tonumber(atVersion), tonumber(instant) end
    end
    from = at + 1
  end
end

-- The last operations, this one first: at least 16, as many as a lost connection can leave unanswered.
local function withOperation(id)
  local line = id .. ' ' .. digits(version) .. ' ' .. digits(updatedAt) .. '\n'
  local MOST_BYTES = 1024 -- counting the lines each time would take longer than all the rest
  if #ops <= MOST_BYTES then return line .. ops end
  local last = 0
  for _ = 1, 15 do
    last = string.find(ops, '\n', last + 1, true) or last
  end
  return line .. string.sub(ops, 1, last)
end

-- I2: adds an entry for this version to the outbox, in the script that writes the version. idOpening: a JSON string
-- without its closing quote. rest: the other members of the entry, and the closing brace.
local function enqueue(idOpening, rest)
  local at = digits(version)
  redis.call('HSET', outboxKey, at, '{"id":' .. idOpening .. ':' .. at .. '","version":' .. at .. ',"createdAt":'
    .. digits(now) .. ',"updatedAt":' .. digits(now) .. ',' .. rest)
  redis.call('PEXPIRE', outboxKey, 7 * 24 * 60 * 60 * 1000)
end

-- The remaining time of the owner's lease in ms; 0 without a lease. Sets `damaged` for a damaged one.
local function leaseLeft()
  local leaseUntil = redis.call('HGET', credsKey, 'leaseUntil') or '0'
  local isLease = toWhole(leaseUntil) and toWhole(leaseUntil) <= now + DAY_MS -- no lease is longer: see core/options.ts
  if not isLease then damaged = 'leaseUntil' end
  return math.max((toWhole(leaseUntil) or 0) - now, 0)
end

-- Identifies an entry of the outbox by its two ends, as outbox-entry.ts does. Its length is unlimited.
local function digestOf(entry)
  return redis.sha1hex(string.sub(entry, 1, 4096) .. string.sub(entry, -4096) .. #entry)
end

-- The number of entries in the outbox.
local function waiting()
  return outboxKey and redis.call('HLEN', outboxKey) or 0
end

-- I3: the operation before this one, if other entries wait in the outbox. A process that knows that operation, and all
-- that waited beside it, knows all that waits. '' if nothing else waits, '?' if no operation is remembered.
local function operationBefore()
  return waiting() > 1 and (string.match(ops, '^(%S+) ') or '?') or ''
end

-- The same for a repeated operation: others may have come since the first attempt.
local function operationBeforeRepeated()
  return waiting() > 1 and '?' or ''
end

-- Whether the head remembers an operation of this version, or may have forgotten it: see core/store/operation-ids.ts.
local function mayHave(operation, atVersion)
  if operation == '' or string.find(ops, operation .. ' ', 1, true) then return true end
  local lowest = tonumber(string.match(ops, ' (%d+) %d+\n$')) -- the last ones have the lowest versions
  return not lowest or lowest > atVersion
end

-- Whether this session continues what was seen, as far as it remembers: see core/store/histories.ts. own: the version
-- and the operation of the caller's last change, if another one was seen since.
local function continuesFrom(seenVersion, seenIncarnation, seenOperation, own)
  if seenVersion > version then return false end
  if seenIncarnation ~= '' and incarnation ~= '' and seenIncarnation ~= incarnation then return false end
  if not exists then return true end
  local ownVersion, ownOperation = string.match(own, '^ (%d+) (%S+)$')
  return mayHave(seenOperation, seenVersion) and (not ownVersion or mayHave(ownOperation, tonumber(ownVersion)))
end

-- The refusal of a write that must not be applied, else nil. Each condition may be ''. seen: the version, a space, the
-- incarnation, a space and the operation, of which the last two may be empty; and "own" of continuesFrom().
local function refuse(token, seen, expectedVersion, limit)
  token, expectedVersion, limit = tonumber(token), tonumber(expectedVersion), tonumber(limit)
  local seenVersion, seenIncarnation, seenOperation, own = string.match(seen, '^(%d+) (%S*) (%S*)(.*)$')
  seenVersion = tonumber(seenVersion)
  -- In front of MongoDB, Redis knows every claim, unless it has lost one.
  local hasLostClaim = outboxKey and exists and token and token > fence
  if isCold or hasLostClaim then return {0, 'COLD', version} end
  if token and token < fence then return {0, 'FENCED', exists and fence or -1} end
  if seenVersion and not continuesFrom(seenVersion, seenIncarnation, seenOperation, own) then
    return {0, 'REWOUND', version}
  end
  -- I12: the command was sent before the session was loaded
  if limit and limit <= version then return {0, 'AHEAD', version} end
  local actual = exists and version or 0
  if expectedVersion and expectedVersion ~= actual then return {0, 'VERSION', actual} end
end
