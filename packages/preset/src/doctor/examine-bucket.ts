import { type Cancellable, MoteError } from "@mote/core";
import { bucketAt } from "../tiers/open-tier.js";
import { type Finding, finding } from "./finding.js";

/** Beyond it, the times of uses, leases and tags are misleading; beyond 15 minutes, services reject every request. */
const maxSkewMs = 60_000;

/** Checks a bucket as a tier or as the cache: `topic`. Writes small objects to it, and removes them. @throws MOTE_CONFIG · what a bucket throws that cannot be read */
export async function examineBucket(
  url: string,
  { topic, signal }: { readonly topic: "tier" | "cache" } & Cancellable,
): Promise<Finding[]> {
  const location = bucketAt(url);
  if (location === undefined) throw new MoteError("MOTE_CONFIG", `${url} is not a bucket; use s3://BUCKET[/PREFIX]`);
  const { examineBucket } = await import("@mote/s3");
  const { aheadMs, writes } = await examineBucket({ ...location, retries: { retries: 1 } }, { signal });
  const findings = [finding(topic, "ok", `${url} responds`), clock(topic, aheadMs)];
  const writing = `${topic} writes`;
  if ("error" in writes) {
    const advice =
      topic === "tier"
        ? "the tier is only read; allow writing where it should be filled"
        : "allow writing to change the cache";
    return [...findings, finding(writing, "warn", writes.error.message, advice)];
  }
  const conditions = `${topic} conditions`;
  const wrongBytes = "the service stores wrong bytes: it ignores x-amz-content-sha256";
  const fetchedTwice =
    "content is stored all the same; several mirrors may fetch the same blob, unless they share a Redis (--bic)";
  return [
    ...findings,
    writes.rejectsWrongBytes
      ? finding(writing, "ok", "stores content, and rejects wrong bytes")
      : finding(writing, "fail", wrongBytes, "use another service"),
    writes.rejectsOverwriting
      ? finding(conditions, "ok", "If-None-Match is supported, as a fleet of mirrors needs")
      : finding(conditions, "warn", "the service ignores If-None-Match", fetchedTwice),
  ];
}

function clock(topic: string, aheadMs: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (Math.abs(aheadMs) <= maxSkewMs) return finding(`${topic} clock`, "ok", "as the service's");
  const says = `${seconds} seconds ${aheadMs > 0 ? "ahead of" : "behind"} the service's`;
  return finding(`${topic} clock`, "warn", says, "set the clock of this machine, for example with NTP");
}
