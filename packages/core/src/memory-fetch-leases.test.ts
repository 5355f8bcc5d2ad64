import { describe, expect, it } from "vitest";
import { digestBytes } from "./digest.js";
import { MemoryFetchLeases } from "./memory-fetch-leases.js";

const digest = digestBytes(new Uint8Array(1));
const other = digestBytes(new Uint8Array(2));

// The contract is tested by @mote/conformance.
describe("MemoryFetchLeases", () => {
  it("counts the duration of a lease from its last renewal", async () => {
    let nowMs = 0;
    const leases = new MemoryFetchLeases({ now: () => nowMs });
    const lease = await leases.acquire(digest, "http://a", { durationMs: 100 });
    nowMs = 60;
    expect(await leases.renew(lease, { durationMs: 100 })).toBe(true);
    nowMs = 159;
    expect((await leases.acquire(digest, "http://b", { durationMs: 100 })).holder).toBe("http://a");
    nowMs = 160;
    expect((await leases.acquire(digest, "http://b", { durationMs: 100 })).holder).toBe("http://b");
  });

  it("renews a lapsed lease until it is removed", async () => {
    let nowMs = 0;
    const leases = new MemoryFetchLeases({ now: () => nowMs });
    const lease = await leases.acquire(digest, "http://a", { durationMs: 100 });
    nowMs = 1_000;
    expect(await leases.renew(lease, { durationMs: 100 })).toBe(true);
    nowMs = 2_000;
    await leases.acquire(other, "http://b", { durationMs: 100 });
    expect(await leases.renew(lease, { durationMs: 100 })).toBe(false);
  });
});
