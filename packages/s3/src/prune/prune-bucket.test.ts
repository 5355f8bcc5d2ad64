import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Digest, MemoryCache, parseDigest, silentLogger, type TagStore } from "@mote/core";
import { describe, expect, it } from "vitest";
import { Bucket, type FailedRemoval, type ListedObject, type ListOptions } from "../bucket/bucket.js";
import { BucketFormat } from "../bucket/bucket-format.js";
import { BucketKeys } from "../bucket/keys.js";
import type { XmlElement } from "../http/xml.js";
import { BlobSource } from "../read/blob-source.js";
import { QuarantineObjects } from "../read/quarantine-objects.js";
import { S3TagStore } from "../tags/s3-tag-store.js";
import { BucketPins } from "./bucket-pins.js";
import { LeaseObjects } from "./lease-objects.js";
import { BucketPrune } from "./prune-bucket.js";

const keys = new BucketKeys();
const nowMs = Date.parse("2026-01-01T00:00:00Z");
const noTags = new MemoryCache();

/** Objects that are computed when they are listed: of object `n`, the digest and the time depend on `n`. */
class SimulatedBucket extends Bucket {
  readonly removed = new Set<string>();
  removals = 0;
  /** The largest heap while objects were listed, without garbage. */
  heapBytes = 0;
  readonly #count: number;
  readonly #ageMs: (n: number) => number;
  readonly #uses: boolean;

  constructor(count: number, options: { readonly ageMs: (n: number) => number; readonly uses?: boolean }) {
    super(undefined as never);
    this.#count = count;
    this.#ageMs = options.ageMs;
    this.#uses = options.uses === true;
  }

  override async *list(
    prefix: string,
    _what: string,
    _options?: ListOptions,
  ): AsyncGenerator<ListedObject, void, undefined> {
    const isBlob = prefix === keys.blobs;
    if (!isBlob && !(prefix === keys.folder("used") && this.#uses)) return;
    for (let n = 0; n < this.#count; n++) {
      const key = isBlob ? keys.blob(digestOf(n)) : keys.of("used", digestOf(n));
      if (this.removed.size > 0 && this.removed.has(key)) continue;
      if (n % 50_000 === 49_999) this.heapBytes = Math.max(this.heapBytes, usedHeap());
      // Every other blob was used an hour after it was stored.
      if (!isBlob && n % 2 === 0) continue;
      yield {
        key,
        size: 1000,
        modifiedMs: nowMs - this.#ageMs(n) + (isBlob ? 0 : 3_600_000),
        etag: "",
        listedMs: nowMs,
      };
    }
  }

  override async removeAll(removed: readonly string[]): Promise<FailedRemoval[]> {
    this.removals += removed.filter((key) => key.startsWith(keys.blobs)).length;
    if (this.#count <= 1000) for (const key of removed) this.removed.add(key);
    return [];
  }

  override async write(): Promise<boolean> {
    return true;
  }

  override async remove(): Promise<void> {}

  /** There are no unfinished uploads. */
  override async document(): Promise<[XmlElement, number]> {
    return [{ name: "", text: "", children: [] }, nowMs];
  }
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function usedHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function digestOf(n: number): Digest {
  return parseDigest(`sha256:${n.toString(16).padStart(64, "0")}`);
}

function pruneOf(
  bucket: Bucket,
  maxSize: number,
  options: { readonly minAgeMs?: number; readonly maxAgeMs?: number } = {},
) {
  const source = noTags;
  const format = new BucketFormat(bucket, keys);
  const from = { bucket, keys, format, logger: silentLogger, ready: async () => {} };
  const parts = {
    ...{ bucket, keys, abandonedUploadMs: 0 },
    leases: new LeaseObjects(from),
    pins: new BucketPins(from),
    tags: new S3TagStore(from),
    images: { source, tags: source.tags as TagStore, usedMs: async () => undefined },
    quarantine: new QuarantineObjects(from, new BlobSource(bucket, keys)),
  };
  return new BucketPrune(parts, maxSize, { ...options, dryRun: false });
}

describe("a prune of many objects", () => {
  it("removes exactly the oldest ones, whatever their spread over time", async () => {
    for (const [what, ageMs] of [
      ["years", (n: number) => ((n * 7919) % 1000) * 86_400_000],
      ["an hour", (n: number) => ((n * 7919) % 1000) * 3000],
      ["a second", (n: number) => (n * 7919) % 1000],
      ["a millisecond", () => 5],
    ] as const) {
      const bucket = new SimulatedBucket(1000, { ageMs });
      const report = await pruneOf(bucket, 400_000).run();
      expect([what, report.removed.length, report.remainingBytes, report.reached]).toEqual([what, 600, 400_000, true]);
      const left = Array.from({ length: 1000 }, (_, n) => n).filter((n) => !bucket.removed.has(keys.blob(digestOf(n))));
      const oldestLeft = Math.max(...left.map(ageMs));
      const youngestRemoved = Math.min(
        ...report.removed.map(({ digest }) => ageMs(Number.parseInt(digest.slice(-8), 16))),
      );
      expect([what, youngestRemoved >= oldestLeft]).toEqual([what, true]);
    }
  });

  it("counts the last use of each blob", async () => {
    const bucket = new SimulatedBucket(1000, { ageMs: () => 7_200_000, uses: true });
    const { removed } = await pruneOf(bucket, 500_000).run();
    expect(removed.length).toBe(500);
    expect(removed.every(({ digest }) => Number.parseInt(digest.slice(-8), 16) % 2 === 0)).toBe(true);
  });

  it("removes by age beside size", async () => {
    const bucket = new SimulatedBucket(1000, { ageMs: (n) => n * 1000 });
    const { removed } = await pruneOf(bucket, Number.POSITIVE_INFINITY, { maxAgeMs: 899_500 }).run();
    expect(removed.length).toBe(100);
  });

  // MANY=10000000 takes minutes.
  it("takes no more memory for more objects", async () => {
    const count = Number(process.env.MANY || 100_000);
    const bucket = new SimulatedBucket(count, { ageMs: (n) => ((n * 7919) % 99_991) * 20_000 });
    const before = usedHeap();
    const report = await pruneOf(bucket, (count * 1000 * 9) / 10).run();
    expect([report.reached, report.remainingBytes]).toEqual([true, (count * 1000 * 9) / 10]);
    expect(bucket.removals).toBe(count / 10);
    const grownMb = (bucket.heapBytes - before) / 1e6;
    if (process.env.MANY) console.log(`${count} objects: at most ${grownMb.toFixed(0)} MB more heap, without garbage`);
    expect(grownMb).toBeLessThan(64);
  }, 900_000);
});
