import { type Cancellable, MoteError, silentLogger } from "@mote/core";
import { openSharedBlobInfoCache } from "../tiers/open-tier.js";
import type { Finding } from "./finding.js";

const topic = "blob info";

/** Checks the Redis for what is known about blobs. Writes a key to it, which expires. */
export async function examineSharedBlobInfoCache(url: string, { signal }: Cancellable): Promise<Finding[]> {
  try {
    const { examineRedis } = await import("@mote/bic-redis");
    const { server, isSupported, writeError, maxMemoryBytes, evictionPolicy } = await examineRedis(url, { signal });
    if (!isSupported) {
      const advice = "use Redis 6 or newer, or Valkey";
      return [{ topic, state: "fail", says: `${server} is too old`, advice }];
    }
    await using bic = await openSharedBlobInfoCache(url, silentLogger);
    await bic.open({ signal });
    const found = await bic.statistics?.({ signal });
    const findings: Finding[] = [
      { topic, state: "ok", says: `${server} responds; ${found?.locations ?? 0} locations` },
    ];
    if (writeError !== undefined) {
      const advice = "nothing is recorded";
      findings.push({ topic: `${topic} writes`, state: "warn", says: writeError.message, advice });
    }
    return [...findings, memory(maxMemoryBytes, evictionPolicy)];
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    const advice = "commands continue without it, and record nothing";
    return [{ topic, state: "fail", says: error.message, advice }];
  }
}

/** A Redis that saves nothing to disk is fine: records only save transfers. */
function memory(maxMemoryBytes: number, policy: string): Finding {
  const named = `${topic} memory`;
  if (maxMemoryBytes === 0) return { topic: named, state: "ok", says: "no limit" };
  const says = `maxmemory is ${Math.round(maxMemoryBytes / 1e6)} MB, with ${policy}`;
  if (policy === "noeviction") return { topic: named, state: "ok", says };
  const advice = "at the limit, records are lost before they expire, which costs transfers; prefer noeviction";
  return { topic: named, state: "warn", says, advice };
}
