import { digestBytes } from "@mote/core";
import { describe, expect, it } from "vitest";
import type { MoveReport } from "../wire.js";
import { transferSummary } from "./transfer-summary.js";

const none = { count: 0, bytes: 0 };
const descriptor = { mediaType: "text/plain", digest: digestBytes(new Uint8Array()), size: 0 };
const registryRef = { transport: "docker", registry: "registry.example", repository: "app", tag: "1" } as const;

function summaryOf(change: Partial<MoveReport>): string | undefined {
  const report: MoveReport = {
    refs: [{ ref: registryRef, resolved: descriptor, descriptor, reference: "registry.example/app:1" }],
    ...{
      fetched: none,
      resumed: none,
      inlined: none,
      hit: none,
      tier: none,
      rebuilt: none,
      linked: none,
      copied: none,
    },
    ...{ mounted: none, skipped: none, foreign: none, referrers: [], warnings: [], durationMs: 1000 },
    manifests: { count: 1, bytes: 500, fetched: 0, fetchedBytes: 0 },
    ...change,
  };
  return transferSummary(report, undefined)[0];
}

describe("the summary of a transfer", () => {
  it("says what came from the registry", () => {
    expect(summaryOf({ fetched: { count: 2, bytes: 3_000_000 } })).toBe("fetched 3.00 MB (2 blobs) in 1.0 s");
    expect(summaryOf({ hit: { count: 2, bytes: 100 } })).toBe(
      "fetched nothing, 100 B (2 blobs) from the cache in 1.0 s",
    );
    const manifests = { count: 1, bytes: 500, fetched: 1, fetchedBytes: 500 };
    expect(summaryOf({ manifests })).toBe("fetched 1 manifest, 500 B in 1.0 s");
  });

  it("says what came from the tier, and what from the registry", () => {
    const tier = { count: 3, bytes: 4_000_000 };
    expect(summaryOf({ tier })).toBe("fetched 4.00 MB (3 blobs) from the tier, nothing from the registry in 1.0 s");
    expect(summaryOf({ tier, fetched: { count: 1, bytes: 5_000_000 } })).toBe(
      "fetched 4.00 MB (3 blobs) from the tier, 5.00 MB (1 blob) from the registry in 1.0 s",
    );
    const refs = [{ ref: "oci:dir:1", resolved: descriptor, descriptor, reference: "oci:dir:1" }];
    expect(summaryOf({ tier, refs })).toBe("fetched 4.00 MB (3 blobs) from the tier, nothing from the source in 1.0 s");
  });
});
