import { type Digest, digestBytes, type Lease, MoteError, silentLogger } from "@mote/core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { pushLeases } from "./push-leases.js";

const one = digestBytes(new Uint8Array(1));
const other = digestBytes(new Uint8Array(2));
const leaseMs = 1000;
/** The digests of the leases that are not released. */
let held: Set<Digest>[];
let releaseFails: boolean;
let leaseFails: boolean;

const cache = {
  lease: async (): Promise<Lease> => {
    if (leaseFails) throw new MoteError("MOTE_UNWRITABLE", "read-only");
    const digests = new Set<Digest>();
    held.push(digests);
    const release = async () => {
      if (releaseFails) throw new MoteError("MOTE_IO", "cannot remove a file");
      held = held.filter((each) => each !== digests);
    };
    return { add: async (digest) => void digests.add(digest), release, [Symbol.asyncDispose]: release };
  },
};
const all = () => held.flatMap((digests) => [...digests]).sort();

beforeEach(() => {
  vi.useFakeTimers();
  [held, releaseFails, leaseFails] = [[], false, false];
});
afterEach(() => void vi.useRealTimers());

it("a pushed blob is leased for once to twice the time, and the server holds two leases at most", async () => {
  const leases = pushLeases(cache, { leaseMs, logger: silentLogger });
  await leases.add(one);
  await vi.advanceTimersByTimeAsync(leaseMs);
  await leases.add(other);
  expect(all()).toEqual([one, other].sort());
  await vi.advanceTimersByTimeAsync(leaseMs);
  expect(all()).toEqual([other]);
  await vi.advanceTimersByTimeAsync(leaseMs);
  expect([held.length, vi.getTimerCount()]).toEqual([0, 0]);
});

it("closing releases all leases, even if one cannot be released, and later blobs are not leased", async () => {
  const leases = pushLeases(cache, { leaseMs, logger: silentLogger });
  await leases.add(one);
  releaseFails = true;
  await leases.close();
  await leases.add(other);
  expect([all(), vi.getTimerCount()]).toEqual([[one], 0]);
});

it("a lease that cannot be taken is an error of that push only", async () => {
  const leases = pushLeases(cache, { leaseMs, logger: silentLogger });
  leaseFails = true;
  await expect(leases.add(one)).rejects.toMatchObject({ code: "MOTE_UNWRITABLE" });
  leaseFails = false;
  await leases.add(one);
  expect(all()).toEqual([one]);
  await leases.close();
});

it("a cache without leases needs none", async () => {
  const leases = pushLeases({}, { leaseMs, logger: silentLogger });
  await leases.add(one);
  await leases.close();
});
