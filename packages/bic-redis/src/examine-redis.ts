import { type Cancellable, MoteError } from "@mote/core";
import { RedisConnection, type RedisConnectionOptions } from "./redis-connection.js";

/** What a Redis is and does. */
export interface RedisFindings {
  /** `Redis 7.0.15`, `Valkey 8.0.1`. */
  readonly server: string;
  /** Whether it is Redis 6 or newer, or Valkey. */
  readonly isSupported: boolean;
  /** Its limit on its memory in bytes; 0 if it has none. */
  readonly maxMemoryBytes: number;
  /** What it does at that limit: `noeviction`, or how it selects the keys that it removes. */
  readonly evictionPolicy: string;
  /** Why it cannot be written to. */
  readonly writeError?: MoteError;
}

const oldestMajor = 6;

/** Asks a Redis what it is, and writes a key, which expires after a second. @throws MOTE_UNREACHABLE · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_CONFIG */
export async function examineRedis(
  url: string,
  options: RedisConnectionOptions & Cancellable = {},
): Promise<RedisFindings> {
  options.signal?.throwIfAborted();
  const connection = new RedisConnection(url, options);
  const client = await connection.connect();
  try {
    const fields = infoFields(await connection.call(() => client.info()));
    const version = fields.get("valkey_version") ?? fields.get("redis_version") ?? "of an unknown version";
    const findings = {
      server: `${fields.has("valkey_version") ? "Valkey" : "Redis"} ${version.slice(0, 40)}`,
      isSupported: Number.parseInt(fields.get("redis_version") ?? "", 10) >= oldestMajor,
      maxMemoryBytes: Number(fields.get("maxmemory") ?? 0) || 0,
      evictionPolicy: fields.get("maxmemory_policy")?.slice(0, 40) ?? "noeviction",
    };
    try {
      await connection.call(() => client.set(`${connection.prefix}doctor`, "", "PX", 1000));
      return findings;
    } catch (writeError) {
      if (!MoteError.isInstance(writeError)) throw writeError;
      return { ...findings, writeError };
    }
  } finally {
    client.disconnect();
  }
}

/** Parses what INFO returns: lines `NAME:VALUE`. */
function infoFields(text: string): Map<string, string> {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}
