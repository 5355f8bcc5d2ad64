import type { Digest } from "@mote/core";
import { errorCodesOf } from "../sample-motes.js";
import { callsOf, candidatesIn, gzip, plain, type RuleTests } from "./rule-tests.js";

/** Tests the arguments that are rejected at run time. */
export function rejectsInvalidArguments({ test, expect }: RuleTests): void {
  test("rejects an invalid digest", async (cache) => {
    const bad = "sha256:abc" as Digest;
    const calls = [...callsOf(cache, bad), () => cache.recordDigestUntransformedPair(plain, bad)];
    expect(await errorCodesOf(calls)).toEqual(["MOTE_INVALID_DIGEST"]);
  });

  test("rejects with the reason of the signal when aborted, and records nothing", async (cache) => {
    const reason = new Error("enough");
    for (const call of callsOf(cache, gzip, { signal: AbortSignal.abort(reason) })) {
      const thrown = await call().catch((error: unknown) => error);
      expect(thrown).toBe(reason);
    }
    expect(await cache.untransformedDigest(gzip)).toBe(undefined);
    expect(await candidatesIn(cache)).toEqual([]);
  });
}
