import type { RedisScript } from "./redis-script.js";

/**
 * The scripts for leases of fetches. The value of a lease is `TOKEN STORED HOLDER`, where STORED is 0 or 1; its key expires when it lapses.
 * Numbers of 16 digits are formatted as such, because Lua prints only 14 digits.
 */
const read = `
local held = redis.call("GET", KEYS[1]) or ""
local token, stored, holder = string.match(held, "^(%d+) ([01]) (%S+)$")
`;

export const leaseScripts = {
  /**
   * Takes a lease and returns its value, or that of the one that another holder has. Keys: the lease, the last token. Arguments: holder,
   * duration in milliseconds, token to replace or empty, the longest duration. A key that does not expire in this time is not a lease.
   */
  acquire: {
    numberOfKeys: 2,
    lua: `${read}
local left = redis.call("PTTL", KEYS[1])
local isLease = token and left >= 0 and left <= tonumber(ARGV[4])
if isLease and holder ~= ARGV[1] and token ~= ARGV[3] then return held end
local last = math.max(tonumber(token or "0"), tonumber(redis.call("GET", KEYS[2]) or "") or 0)
if not (last < 9007199254740991) then last = 0 end
local time = redis.call("TIME")
local value = string.format("%.0f", math.max(last + 1, tonumber(time[1]) * 1000000 + tonumber(time[2])))
redis.call("SET", KEYS[2], value)
value = value .. " 0 " .. ARGV[1]
redis.call("SET", KEYS[1], value, "PX", ARGV[2])
return value`,
  },
  /** Extends a lease if it is held, and returns 1, else 0. Arguments: token, holder, duration in milliseconds, stored or empty. */
  renew: {
    lua: `${read}
if token ~= ARGV[1] or holder ~= ARGV[2] then return 0 end
if ARGV[4] ~= "" then stored = ARGV[4] end
redis.call("SET", KEYS[1], token .. " " .. stored .. " " .. holder, "PX", ARGV[3])
return 1`,
  },
  /** Removes a lease if it is held. Arguments: token, holder. */
  release: {
    lua: `${read}
if token == ARGV[1] and holder == ARGV[2] then redis.call("DEL", KEYS[1]) end
return 0`,
  },
  /** Returns the value of the key, which is set to the argument if it is absent. */
  secret: {
    lua: `
local stored = redis.call("GET", KEYS[1])
if stored then return stored end
redis.call("SET", KEYS[1], ARGV[1])
return ARGV[1]`,
  },
} as const satisfies Record<string, RedisScript>;
