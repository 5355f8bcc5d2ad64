import type { Digest, Lease, MoteCache } from "@mote/core";
import fc from "fast-check";
import { begin, mediaType, put, putResumed, readAll, type Sample, sameBytes, sample } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";
import type { MoteCacheCapabilities } from "./capabilities.js";

const motes = [0, 1, 70_000, 300_000].map((size) => sample(`model ${size}`, size));
const kinds = [
  "put",
  "abandon",
  "suspend",
  "read",
  "remove",
  "prune",
  "reopen",
  "crash",
  "verify",
  "pin",
  "unpin",
  "lease",
  "release",
] as const;

const step = fc.record({
  kind: fc.constantFrom(...kinds),
  mote: fc.constantFrom(...motes),
  maxSize: fc.integer({ min: 0, max: 400_000 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

// The cache with the lease is abandoned while its process is still running.
const leaseThatOutlivesItsCache: Step[] = (
  ["put", "lease", "crash", "prune", "lease", "release", "prune"] as const
).map((kind) => ({ kind, mote: sample("model 300000", 300_000), maxSize: 0 }));

/** Compares a cache with a `Map` under random workloads of all operations, including crashes. */
export function matchesTheModel({ describe, it, expect, open }: CacheTests, { reopen }: MoteCacheCapabilities): void {
  describe("a mote cache under random use", () => {
    it("stores the same motes as a Map", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const workload = new Workload(await open(), expect, reopen);
          for (const each of steps) await workload.execute(each);
          await workload.end();
        }),
        { numRuns: 30, examples: [[leaseThatOutlivesItsCache]] },
      );
    });
  });
}

class Workload {
  readonly #expect: CacheTests["expect"];
  readonly #reopen: MoteCacheCapabilities["reopen"];
  readonly #model = new Map<Digest, Uint8Array>();
  readonly #pins = new Set<Digest>();
  readonly #leases = new Map<Digest, Lease>();
  /** Leases of abandoned caches. They may still be valid, because a lease ends with its process, not with its cache. */
  readonly #orphanedLeases: [Digest, Lease][] = [];
  #cache: MoteCache;

  constructor(cache: MoteCache, expect: CacheTests["expect"], reopen: MoteCacheCapabilities["reopen"]) {
    this.#cache = cache;
    this.#expect = expect;
    this.#reopen = reopen;
  }

  async execute({ kind, mote, maxSize }: Step): Promise<void> {
    await this[kind](mote, maxSize);
    for (const { digest } of motes) {
      this.#expect([kind, digest, await this.#cache.moteExists(digest)]).toEqual([
        kind,
        digest,
        this.#model.has(digest),
      ]);
    }
  }

  async end(): Promise<void> {
    for (const [, lease] of [...this.#leases, ...this.#orphanedLeases]) await lease.release();
    this.#orphanedLeases.length = 0;
    await this.#cache[Symbol.asyncDispose]();
  }

  async put(mote: Sample): Promise<void> {
    await put(this.#cache, mote);
    this.#model.set(mote.digest, mote.bytes);
  }

  async abandon(mote: Sample): Promise<void> {
    const { writer } = await begin(this.#cache, mote);
    await writer.write(half(mote));
    await writer.abort();
  }

  /** Suspends a writer and resumes it. Until it closes, the mote does not exist. */
  async suspend(mote: Sample): Promise<void> {
    const { digest, bytes } = mote;
    const isStored = await putResumed(this.#cache, mote, async () =>
      this.#expect(await this.#cache.moteExists(digest)).toBe(this.#model.has(digest)),
    );
    if (isStored) this.#model.set(digest, bytes);
  }

  async read({ digest }: Sample): Promise<void> {
    const expected = this.#model.get(digest);
    if (expected !== undefined) this.#expect(sameBytes(await readAll(this.#cache, digest), expected)).toBe(true);
  }

  async remove({ digest }: Sample): Promise<void> {
    await this.#cache.removeMote(digest);
    this.#model.delete(digest);
  }

  async prune(_: Sample, maxSize: number): Promise<void> {
    const report = await this.#cache.prune(maxSize);
    for (const { digest } of report.removed) {
      this.#expect([this.#isProtected(digest), this.#model.delete(digest)]).toEqual([false, true]);
    }
    const left = [...this.#model].reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
    const mayBeLeased = new Set(this.#orphanedLeases.map(([digest]) => digest));
    const protectedMotes = [...this.#model].filter(
      ([digest, bytes]) => bytes.byteLength > 0 && (this.#isProtected(digest) || mayBeLeased.has(digest)),
    );
    const isAllProtected = protectedMotes.reduce((sum, [, { byteLength }]) => sum + byteLength, 0) === left;
    this.#expect([report.remainingBytes, report.reached]).toEqual([left, left <= maxSize]);
    this.#expect(report.reached || isAllProtected).toBe(true);
  }

  async reopen(): Promise<void> {
    if (this.#reopen === undefined) return;
    const next = await this.#reopen(this.#cache);
    await this.end();
    await this.#continueWith(next);
  }

  /** Opens another cache while the first has open writers, as after a crash. */
  async crash(mote: Sample): Promise<void> {
    if (this.#reopen === undefined) return;
    const { writer } = await begin(this.#cache, mote);
    await writer.write(half(mote));
    const { digest, bytes } = mote;
    const suspended = await this.#cache.resumeMote?.({ digest, mediaType, size: bytes.byteLength });
    await suspended?.write(half(mote).subarray(suspended.offset));
    await this.#continueWith(await this.#reopen(this.#cache));
  }

  async verify(): Promise<void> {
    const report = await this.#cache.verify?.();
    if (report !== undefined) this.#expect([report.motes, report.damaged]).toEqual([this.#model.size, []]);
  }

  async pin({ digest }: Sample): Promise<void> {
    if (this.#cache.pinned === undefined) return;
    await this.#cache.pinned.pin(digest);
    this.#pins.add(digest);
  }

  async unpin({ digest }: Sample): Promise<void> {
    await this.#cache.pinned?.unpin(digest);
    this.#pins.delete(digest);
  }

  async lease({ digest }: Sample): Promise<void> {
    if (this.#leases.has(digest)) return;
    const lease = await this.#cache.lease?.([digest]);
    if (lease !== undefined) this.#leases.set(digest, lease);
  }

  async release({ digest }: Sample): Promise<void> {
    await this.#leases.get(digest)?.release();
    this.#leases.delete(digest);
  }

  async #continueWith(next: MoteCache): Promise<void> {
    this.#orphanedLeases.push(...this.#leases);
    this.#leases.clear();
    await next.initialize();
    this.#cache = next;
    const pins = new Set<Digest>();
    for await (const digest of next.pinned?.pins() ?? none()) pins.add(digest);
    this.#expect([...pins].sort()).toEqual([...this.#pins].sort());
  }

  #isProtected(digest: Digest): boolean {
    return this.#pins.has(digest) || this.#leases.has(digest);
  }
}

function half({ bytes }: Sample): Uint8Array {
  return bytes.subarray(0, bytes.byteLength >> 1);
}

async function* none(): AsyncGenerator<Digest> {}
