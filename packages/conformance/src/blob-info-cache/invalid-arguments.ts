import type { Digest } from "@mote/core";
import { codeOf, gzip, plain, type RuleTests, thrownBy, transport } from "./rule-tests.js";

/** Tests the arguments that are rejected at run time. */
export function rejectsInvalidArguments({ test, expect }: RuleTests): void {
  test("rejects an invalid digest", async (cache) => {
    const bad = "sha256:abc" as Digest;
    const calls = [
      () => cache.untransformedDigest(bad),
      () => cache.recordDigestUntransformedPair(bad, plain),
      () => cache.recordDigestUntransformedPair(plain, bad),
      () => cache.recordDigestTransformerName(bad, "gzip"),
      () => cache.recordKnownLocation(transport, "A", bad, "here"),
      () => cache.candidateLocations(transport, "A", bad, { canSubstitute: false }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("MOTE_INVALID_DIGEST");
  });

  test("rejects with the reason of the signal when aborted, and records nothing", async (cache) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const calls = [
      () => cache.untransformedDigest(plain, { signal }),
      () => cache.recordDigestUntransformedPair(gzip, plain, { signal }),
      () => cache.recordDigestTransformerName(gzip, "gzip", { signal }),
      () => cache.recordKnownLocation(transport, "A", gzip, "here", { signal }),
      () => cache.candidateLocations(transport, "A", gzip, { canSubstitute: false, signal }),
    ];
    for (const call of calls) expect(await thrownBy(call)).toBe(reason);
    expect(await cache.untransformedDigest(gzip)).toBe(undefined);
    expect(await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false })).toEqual([]);
  });
}
