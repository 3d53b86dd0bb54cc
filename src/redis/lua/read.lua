-- Reads the head, the creds and some or all of the fields, in one state of the session.
--
-- ARGV[2]  fencing token of the caller, or '': for its owner, an expired session still exists
-- ARGV[3]  most fields for a read of all fields; '' reads the fields named by ARGV[4…]
-- ARGV[4…] names of fields
--
-- Returns {1, exists, version, fence, updatedAt, incarnation, ops, creds or false, fields} or {0, reason, actual}. The
-- fields are the values asked for; or all names and values in turn; or false if there are more than ARGV[3].
if damaged then return {0, 'DAMAGED', damaged} end
if isCold then return {0, 'COLD', version} end
if isHalf then return {0, 'INCOMPLETE', version} end
local token = tonumber(ARGV[2])
if isExpired and token and token >= fence then exists = true end
if not exists then return {1, 0, version, fence, updatedAt, incarnation, ops, false, {}} end
local creds = redis.call('HGET', credsKey, 'data')
local most = tonumber(ARGV[3])
local fields = {}
if most then
  fields = redis.call('HLEN', keysKey) <= most and redis.call('HGETALL', keysKey)
else
  for from = 4, #ARGV, 1000 do
    local values = redis.call('HMGET', keysKey, unpack(ARGV, from, math.min(from + 999, #ARGV)))
    for _, value in ipairs(values) do fields[#fields + 1] = value end
  end
end
return {1, 1, version, fence, updatedAt, incarnation, ops, creds, fields}
