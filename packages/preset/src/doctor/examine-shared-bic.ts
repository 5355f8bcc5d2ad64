import { type Cancellable, silentLogger } from "@mote/core";
import { openSharedBlobInfoCache } from "../tiers/open-tier.js";
import { type Finding, finding, findingsOf } from "./finding.js";

const topic = "blob info";

/** Checks the Redis for what is known about blobs. Writes a key to it, which expires. */
export function examineSharedBlobInfoCache(url: string, { signal }: Cancellable): Promise<Finding[]> {
  const advice = "commands continue without it, and record nothing";
  return findingsOf(topic, { signal, advice }, async () => {
    const { examineRedis } = await import("@mote/bic-redis");
    const { server, isSupported, writeError, maxMemoryBytes, evictionPolicy } = await examineRedis(url, { signal });
    if (!isSupported) return [finding(topic, "fail", `${server} is too old`, "use Redis 6 or newer, or Valkey")];
    await using bic = await openSharedBlobInfoCache(url, silentLogger);
    await bic.open({ signal });
    const { locations } = (await bic.statistics?.({ signal })) ?? { locations: 0 };
    const writes =
      writeError === undefined ? [] : [finding(`${topic} writes`, "warn", writeError.message, "nothing is recorded")];
    return [
      finding(topic, "ok", `${server} responds; ${locations} locations`),
      ...writes,
      memory(maxMemoryBytes, evictionPolicy),
    ];
  });
}

/** A Redis that saves nothing to disk is fine: records only save transfers. */
function memory(maxMemoryBytes: number, policy: string): Finding {
  const named = `${topic} memory`;
  if (maxMemoryBytes === 0) return finding(named, "ok", "no limit");
  const says = `maxmemory is ${Math.round(maxMemoryBytes / 1e6)} MB, with ${policy}`;
  if (policy === "noeviction") return finding(named, "ok", says);
  const advice = "at the limit, records are lost before they expire, which costs transfers; prefer noeviction";
  return finding(named, "warn", says, advice);
}
