/**
 * The scripts that Redis runs. Each has one key, the format marker, whose hash tag is that of all other keys: in a cluster they are on one
 * node. Numbers of 16 digits stay texts, because Lua prints only 14 digits.
 */

/** Fetches rows. Arguments: for each row, its name and a field, or `*` for all fields, or `members` of a set. */
const fetchScript = `
local found = {}
local prefix = string.sub(KEYS[1], 1, -7)
for at = 1, #ARGV, 2 do
  local key = prefix .. ARGV[at]
  local field = ARGV[at + 1]
  if field == "*" then found[#found + 1] = redis.call("HGETALL", key)
  elseif field == "members" then found[#found + 1] = redis.call("SMEMBERS", key)
  else found[#found + 1] = redis.call("HGET", key, field) end
end
return found`;

/** Reserves sequences. Arguments: how many, and the least one. Returns the first. */
const sequenceScript = `
local key = string.sub(KEYS[1], 1, -7) .. "sequence"
local first = math.max((tonumber(redis.call("GET", key)) or 0) + 1, tonumber(ARGV[2]))
redis.call("SET", key, string.format("%.0f", first + tonumber(ARGV[1]) - 1))
return string.format("%.0f", first)`;

/** Sets the format marker to the first argument, which it must be, and reads the last used sequence. */
const checkFormat = `
local prefix = string.sub(KEYS[1], 1, -7)
local version = redis.call("GET", KEYS[1])
if not version then redis.call("SET", KEYS[1], ARGV[1])
elseif version ~= ARGV[1] then return redis.error_reply("FORMAT " .. version) end
local sequence = tonumber(redis.call("GET", prefix .. "sequence")) or 0`;

/** Removes facts that are too old or too many: at most a few more than `count`, the number of those that were written. */
const removeExcess = `
local function remove(index, member)
  local cut = string.find(member, "\\n", 1, true)
  local row, field = string.sub(member, 1, cut - 1), string.sub(member, cut + 1)
  if index == "pairs" then
    local pair = redis.call("HGET", prefix .. row, field)
    if pair then redis.call("SREM", prefix .. "forms:" .. string.match(pair, "%S+$"), string.sub(row, 8)) end
  end
  redis.call("HDEL", prefix .. row, field)
  redis.call("ZREM", prefix .. index, member)
end
local most = 2 * count + 32
local time = redis.call("TIME")
local function removeOlder(index, age)
  if age == 0 then return end
  local before = string.format("%.0f", (tonumber(time[1]) * 1000 - age) * 1000)
  for _, member in ipairs(redis.call("ZRANGEBYSCORE", prefix .. index, "-inf", before, "LIMIT", 0, most)) do
    remove(index, member)
  end
end
removeOlder("seen", maxAge)
removeOlder("gone", maxGoneAge)

if maxFacts >= 0 then
  local total, oldest = 0, {}
  for _, index in ipairs({ "seen", "gone", "pairs", "transformers" }) do
    total = total + redis.call("ZCARD", prefix .. index)
  end
  if total > maxFacts then
    local excess = math.min(total - maxFacts, most)
    for _, index in ipairs({ "seen", "gone", "pairs", "transformers" }) do
      local found = redis.call("ZRANGE", prefix .. index, 0, excess - 1, "WITHSCORES")
      for at = 1, #found, 2 do oldest[#oldest + 1] = { tonumber(found[at + 1]), index, found[at] } end
    end
    table.sort(oldest, function(one, other) return one[1] < other[1] end)
    for at = 1, excess do remove(oldest[at][2], oldest[at][3]) end
  end
end`;

/**
 * Writes the changes of a transaction, unless a field is not as expected. Then it returns the position and the value of each such field.
 * Returns false if a sequence that the client chose has been used.
 *
 * Arguments: version of the format; first chosen sequence or 0; last used sequence; maximum ages of locations and of negative records in milliseconds, or 0;
 * maximum number of facts, or -1; number of changes; for each change row, field, expected value, value, index before, index after,
 * sequence (absent values and indexes are empty); then for each change of a set \`SADD\` or \`SREM\`, set, member.
 */
const commitScript = `
${checkFormat}
local chosen, used = tonumber(ARGV[2]), tonumber(ARGV[3])
if chosen > 0 and chosen <= sequence then return false end

local first, width, count = 8, 7, tonumber(ARGV[7])
local last = first + count * width
local conflicts = {}
for at = first, last - 1, width do
  local value = redis.call("HGET", prefix .. ARGV[at], ARGV[at + 1])
  if (value or "") ~= ARGV[at + 2] then
    conflicts[#conflicts + 1] = (at - first) / width
    conflicts[#conflicts + 1] = value or ""
  end
end
if #conflicts > 0 then return conflicts end

local maxAge, maxGoneAge, maxFacts = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
for at = first, last - 1, width do
  local row, field, value, before, after = ARGV[at], ARGV[at + 1], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local member = row .. "\\n" .. field
  if before ~= "" and before ~= after then redis.call("ZREM", prefix .. before, member) end
  if value == "" then redis.call("HDEL", prefix .. row, field)
  else
    redis.call("HSET", prefix .. row, field, value)
    redis.call("ZADD", prefix .. after, ARGV[at + 6], member)
    if maxAge > 0 and after == "seen" then redis.call("PEXPIRE", prefix .. row, maxAge)
    elseif maxAge > 0 and after == "gone" and maxGoneAge > 0 then
      redis.call("PEXPIRE", prefix .. row, math.max(maxAge, maxGoneAge))
    elseif after == "seen" or after == "gone" then redis.call("PERSIST", prefix .. row) end
  end
end
for at = last, #ARGV, 3 do redis.call(ARGV[at], prefix .. ARGV[at + 1], ARGV[at + 2]) end
if used > sequence then redis.call("SET", prefix .. "sequence", ARGV[3]) end

${removeExcess}
return {}`;

/**
 * Records locations. A newer record of the same location stays. If the sequences have been used, it records nothing, reserves as many others and
 * returns the first one.
 *
 * Arguments: version of the format; first sequence; `reserved` if the sequences are reserved; maximum ages of locations and of negative records
 * in milliseconds, or 0; maximum number of facts, or -1; for each location row, field, value.
 */
const recordScript = `${checkFormat}
local call = redis.call
local first, count = tonumber(ARGV[2]), (#ARGV - 6) / 3
local last = first + count - 1
if ARGV[3] ~= "reserved" and first <= sequence then
  call("SET", prefix .. "sequence", string.format("%.0f", sequence + count))
  return string.format("%.0f", sequence + 1)
end
if last > sequence then call("SET", prefix .. "sequence", string.format("%.0f", last)) end

local maxAge, maxGoneAge, maxFacts = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local expiry = {
  seen = maxAge > 0 and ARGV[4],
  gone = maxAge > 0 and maxGoneAge > 0 and ARGV[maxAge > maxGoneAge and 4 or 5]
}
local added = { seen = {}, gone = {} }
local function addAll()
  for index, members in pairs(added) do
    if #members > 0 then call("ZADD", prefix .. index, unpack(members)) end
    added[index] = {}
  end
end
local function isNewer(value, known)
  local sequence, seenMs, gone = string.match(value, "^(%S+) (%S+) (%d)")
  local knownSequence, knownMs, knownGone = string.match(known, "^(%S+) (%S+) (%d)")
  if not knownSequence then return true end
  if knownGone == "1" and maxGoneAge > 0 and tonumber(knownMs) < tonumber(seenMs) - maxGoneAge then return true end
  if sequence == knownSequence then return gone > knownGone end
  return tonumber(sequence) > tonumber(knownSequence)
end
for at = 7, #ARGV, 3 do
  local row, field, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local key = prefix .. row
  local known = call("HGET", key, field)
  if not known or isNewer(value, known) then
    local isGone = string.byte(value, -1) == 49
    local index = isGone and "gone" or "seen"
    local member = row .. "\\n" .. field
    call("HSET", key, field, value)
    if expiry[index] then call("PEXPIRE", key, expiry[index]) else call("PERSIST", key) end
    if known and (string.byte(known, -1) == 49) ~= isGone then
      addAll()
      call("ZREM", prefix .. (isGone and "seen" or "gone"), member)
    end
    local members = added[index]
    members[#members + 1] = string.match(value, "^%d+")
    members[#members + 1] = member
  end
end
addAll()
${removeExcess}
return false`;

/** Removes entries of an index whose field is absent, because Redis has expired or evicted its row. Arguments: index, members. */
const dropScript = `
local prefix = string.sub(KEYS[1], 1, -7)
for at = 2, #ARGV do
  local cut = string.find(ARGV[at], "\\n", 1, true)
  local isStored = redis.call("HEXISTS", prefix .. string.sub(ARGV[at], 1, cut - 1), string.sub(ARGV[at], cut + 1))
  if isStored == 0 then redis.call("ZREM", prefix .. ARGV[1], ARGV[at]) end
end
return 0`;

export const factScripts = {
  fetch: { lua: fetchScript },
  reserve: { lua: sequenceScript },
  commit: { lua: commitScript },
  record: { lua: recordScript },
  drop: { lua: dropScript },
};
