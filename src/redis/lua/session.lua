-- Begins every script that changes or judges a session: what the session is now.
--
-- KEYS[1]  hash of the head and the creds: version, fence, updatedAt, expiresAt, vacant, leaseUntil, ops, incarnation,
--          forks, journalUntil, data
-- KEYS[2]  hash of the keys: "type:id" -> envelope; @version, @fence, @updatedAt, @expiresAt as in the head; @history:
--          the incarnation, and after a space the last operation, where MongoDB does not lie behind; @journal: what has been written since a heal, see commit.lua
-- KEYS[3]  only where MongoDB lies behind: hash of the outbox, version -> entry as JSON
-- ARGV[1]  now in milliseconds, or '' for this server's clock
--
-- All instants are milliseconds since the epoch. A session without expiresAt lives for ever. "vacant" marks a head
-- without a session: claimed and not yet written, or deleted.
local credsKey, keysKey, outboxKey = KEYS[1], KEYS[2], KEYS[3]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local stored = redis.call('HMGET', credsKey, 'version', 'fence', 'updatedAt', 'expiresAt', 'vacant', 'ops',
  'incarnation', 'journalUntil')
local hasHead = stored[1] ~= false
local hasKeys = redis.call('EXISTS', keysKey) == 1
local version, fence = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
local updatedAt, expiresAt = tonumber(stored[3] or 0), tonumber(stored[4] or nil)
local isVacant, ops = stored[5] ~= false, stored[6] or ''
local incarnation, journalUntil = stored[7] or '', tonumber(stored[8] or nil) -- see core/histories.ts and commit.lua
local isExpired = hasHead and not isVacant and expiresAt ~= nil and expiresAt <= now
local exists = hasHead and not isVacant and not isExpired
-- Both hashes are written, renewed and removed together: one alone is what an eviction or a partial restore leaves.
local isHalf = hasKeys ~= (hasHead and not isVacant)
-- What MongoDB lies behind and this Redis does not hold whole has been evicted or lost: it is there to be loaded.
local isCold = outboxKey ~= nil and (isHalf or not hasHead)
if hasKeys and not hasHead then
  local copy = redis.call('HMGET', keysKey, '@version', '@fence')
  version, fence = tonumber(copy[1] or 0), tonumber(copy[2] or 0)
end

-- In front of MongoDB, versions are compared by what MongoDB remembers.
local toldOps = outboxKey and '' or ops

-- Lua prints large numbers as 1.79e+12.
local function digits(number)
  return string.format('%.0f', number)
end

-- Forgets the session and all its fields; the head that stays outranks every token and version handed out before.
local function vacate(tombstoneMs)
  version, fence, ops, exists, isVacant = version + 1, fence + 1, '', false, true
  local forks = redis.call('HGET', credsKey, 'forks') or ''
  redis.call('DEL', credsKey, keysKey)
  redis.call('HSET', credsKey, 'version', digits(version), 'fence', digits(fence), 'updatedAt', digits(updatedAt),
    'vacant', '1', 'incarnation', incarnation, 'forks', forks)
  redis.call('PEXPIRE', credsKey, tombstoneMs)
end

-- When a life that begins now ends; nil for one that lasts for ever. lifeMs: '' is for ever.
local function endOf(lifeMs)
  return lifeMs ~= '' and digits(now + lifeMs) or nil
end

-- Has Redis keep the session for its life, and graceMs more in case that its owner comes back.
local function keep(lifeMs, graceMs)
  if lifeMs ~= '' then
    local ms = digits(lifeMs + graceMs)
    redis.call('PEXPIRE', credsKey, ms)
    redis.call('PEXPIRE', keysKey, ms)
  elseif expiresAt or isVacant then
    redis.call('HDEL', credsKey, 'expiresAt')
    redis.call('HDEL', keysKey, '@expiresAt')
    redis.call('PERSIST', credsKey)
    redis.call('PERSIST', keysKey)
  end
end

local function renew(lifeMs, graceMs)
  local at = endOf(lifeMs)
  if at then
    redis.call('HSET', credsKey, 'expiresAt', at)
    redis.call('HSET', keysKey, '@expiresAt', at)
  end
  keep(lifeMs, graceMs)
end

-- The version and the instant that the operation took when it was applied before; nil when it was not.
local function findOperation(id)
  if not string.find(ops, id .. ' ', 1, true) then return end -- far quicker than to look at each
  for known, atVersion, at in string.gmatch(ops, '(%S+) (%S+) (%S+)\n') do
    if known == id then return tonumber(atVersion), tonumber(at) end
  end
end

-- The last operations, this one first: at least 16, those that a lost connection can leave unanswered.
local function withOperation(id)
  local line = id .. ' ' .. digits(version) .. ' ' .. digits(updatedAt) .. '\n'
  local MOST_BYTES = 1024 -- counting them each time would take longer than all the rest
  if #ops <= MOST_BYTES then return line .. ops end
  local kept = {line}
  for older in string.gmatch(ops, '[^\n]+\n') do
    kept[#kept + 1] = older
    if #kept == 16 then break end
  end
  return table.concat(kept)
end

-- Puts an entry for this version into the outbox. idOpening: a JSON string without its closing quote; rest: all
-- members but those that are written here, and the closing brace.
local function enqueue(idOpening, rest)
  local at = digits(version)
  redis.call('HSET', outboxKey, at, '{"id":' .. idOpening .. ':' .. at .. '","version":' .. at .. ',"createdAt":'
    .. digits(now) .. ',"updatedAt":' .. digits(now) .. ',' .. rest)
  redis.call('PEXPIRE', outboxKey, 7 * 24 * 60 * 60 * 1000)
end

-- What is left of the owner's lease in ms; 0 where there is none.
local function leaseLeft()
  local leaseUntil = tonumber(redis.call('HGET', credsKey, 'leaseUntil') or nil) or now
  return math.max(leaseUntil - now, 0)
end

-- How many entries wait in the outbox.
local function waiting()
  return outboxKey and redis.call('HLEN', outboxKey) or 0
end

-- Whether this session goes on from what was seen, as far as it remembers: see core/histories.ts.
local function continuesFrom(seenVersion, seenIncarnation, seenOperation)
  if seenVersion > version then return false end
  if seenIncarnation ~= '' and incarnation ~= '' and seenIncarnation ~= incarnation then return false end
  if seenOperation == '' or ops == '' or not exists then return true end
  if seenVersion == version then return string.sub(ops, 1, #seenOperation + 1) == seenOperation .. ' ' end
  return version - seenVersion >= 16 or string.find(ops, seenOperation .. ' ', 1, true) ~= nil
end

-- Why a write must not be applied, as the reply that says so; nil when it may. Each condition may be ''. seen: the
-- version, and after a space each the incarnation and the operation, where they are known.
local function refuse(token, seen, expectedVersion, limit)
  token, expectedVersion, limit = tonumber(token), tonumber(expectedVersion), tonumber(limit)
  local seenVersion, seenIncarnation, seenOperation = string.match(seen, '^(%d+) (%S*) (%S*)$')
  seenVersion = tonumber(seenVersion)
  -- Who has claimed the session where MongoDB lies behind is known here, unless this Redis has lost the claim.
  local hasLostClaim = outboxKey and exists and token and token > fence
  if isCold or hasLostClaim then return {0, 'COLD', version} end
  if token and token < fence then return {0, 'FENCED', exists and fence or -1} end
  if seenVersion and not continuesFrom(seenVersion, seenIncarnation, seenOperation) then
    return {0, 'REWOUND', version}
  end
  if limit and limit <= version then return {0, 'AHEAD', version} end
  local actual = exists and version or 0
  if expectedVersion and expectedVersion ~= actual then return {0, 'VERSION', actual} end
end
