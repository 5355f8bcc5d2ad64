import {
  type Digest,
  longestFetchLeaseMs,
  type MoteInfo,
  mediaTypes,
  type PruneOptions,
  type PruneReport,
} from "@mote/core";
import type { Bucket } from "../bucket/bucket.js";
import type { BucketKeys } from "../bucket/keys.js";
import { abortUpload, listUploads } from "../bucket/multipart-upload.js";
import { removalErrorCode } from "../http/s3-error.js";
import type { QuarantineObjects } from "../read/quarantine-objects.js";
import type { S3TagStore } from "../tags/s3-tag-store.js";
import type { BucketPins } from "./bucket-pins.js";
import { type LeaseObjects, removalMs } from "./lease-objects.js";
import { PruneHolds } from "./prune-holds.js";
import { listBlobs, type OrphanedUse, type StoredBlob } from "./stored-blobs.js";
import { type ImageReader, readTaggedImages, type TaggedImage, type TaggedImages } from "./tagged-images.js";
import { TimeHistogram, widthsMs } from "./time-histogram.js";
import { UnitTable } from "./unit-table.js";

export interface PruneParts {
  readonly bucket: Bucket;
  readonly keys: BucketKeys;
  readonly leases: LeaseObjects;
  readonly pins: BucketPins;
  readonly tags: S3TagStore;
  readonly images: ImageReader;
  readonly quarantine: QuarantineObjects;
  /** How old an unfinished upload is before it is aborted, in milliseconds. */
  readonly abandonedUploadMs: number;
}

/** Blobs that are removed with one request. */
const batchSize = 1000;
/** Blobs at the boundary that are sorted exactly. */
const maxSorted = 20_000;
/** Names of removed motes in the report; the bytes of all are counted. */
const maxReported = 50_000;
/** How long ago a lease of a fetch was renewed before it is removed. */
const lapsedFetchMs = 2 * longestFetchLeaseMs;
/** Records of uses without a blob are removed after this time, because the blob may be stored again. */
const orphanMs = 3_600_000;

/** A blob with the unit that it is removed with: the image that used it last, or the blob alone. */
interface Candidate {
  readonly blob: StoredBlob;
  readonly image: TaggedImage | undefined;
  /** When the unit was last used. */
  readonly timeMs: number;
}

/** Removes blobs, the least recently used first, with a listing for each pass: the first adds up sizes by time, the last removes. */
export class BucketPrune {
  readonly #parts: PruneParts;
  readonly #maxSize: number;
  readonly #options: PruneOptions;
  readonly #holds: PruneHolds;
  readonly #removed: MoteInfo[] = [];
  readonly #untagged: string[] = [];
  readonly #untaggedImages = new Set<Digest>();
  readonly #skipped = new Map<Digest, PruneReport["skipped"][number]>();
  #images: TaggedImages = { images: [], users: new UnitTable() };
  #removedBytes = 0;
  #remainingBytes = 0;
  #quarantined = { files: 0, bytes: 0 };

  constructor(parts: PruneParts, maxSize: number, options: PruneOptions) {
    this.#parts = parts;
    this.#maxSize = maxSize;
    this.#options = options;
    this.#holds = new PruneHolds(
      { ...parts, source: parts.images.source },
      { dryRun: options.dryRun === true, keep: options.keep },
    );
  }

  async run(): Promise<PruneReport> {
    const { signal } = this.#options;
    try {
      await this.#holds.look({ signal });
      if (!this.#isDryRun) {
        await this.#abortUploads();
        await this.#removeLapsedFetches();
      }
      await this.#emptyQuarantine();
      this.#images = await readTaggedImages(this.#parts.images, { signal });
      await this.#removeOldest();
      return this.#report();
    } finally {
      await this.#holds.end();
    }
  }

  get #isDryRun(): boolean {
    return this.#options.dryRun === true;
  }

  async #removeOldest(): Promise<void> {
    const coarse = new TimeHistogram(widthsMs[0]);
    let surplus = -this.#maxSize;
    for await (const candidate of this.#candidates()) {
      const { size } = candidate.blob;
      this.#remainingBytes += size;
      surplus += size;
      if (this.#holds.reasonFor(candidate.blob.digest) === undefined && !this.#isTooYoung(candidate))
        coarse.add(candidate.timeMs, size);
    }
    let boundary = surplus > 0 ? coarse.boundary(surplus) : { fromMs: 0, toMs: 0, before: 0, count: 0 };
    for (const widthMs of widthsMs.slice(1)) {
      if (boundary === undefined || boundary.count <= maxSorted) break;
      boundary = await this.#refine(boundary, surplus, widthMs);
    }
    const all = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
    await this.#removeBefore(this.#maxSize === 0 ? all : (boundary ?? all));
  }

  /** Finds the boundary more exactly, with another pass over the blobs of its bucket. */
  async #refine(
    boundary: { readonly fromMs: number; readonly toMs: number; readonly before: number },
    surplus: number,
    widthMs: number,
  ) {
    const fine = new TimeHistogram(widthMs);
    for await (const candidate of this.#candidates()) {
      const { timeMs, blob } = candidate;
      if (timeMs < boundary.fromMs || timeMs >= boundary.toMs) continue;
      if (this.#holds.reasonFor(blob.digest) === undefined && !this.#isTooYoung(candidate)) fine.add(timeMs, blob.size);
    }
    const found = fine.boundary(surplus - boundary.before);
    return found === undefined ? undefined : { ...found, before: boundary.before + found.before };
  }

  /** Removes what was last used before a time, and of the bucket that begins then, the oldest units, until the size is reached. */
  async #removeBefore({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): Promise<void> {
    let batch: Candidate[] = [];
    const sorted: Candidate[] = [];
    let orphans: string[] = [];
    for await (const each of this.#listed()) {
      if ("orphan" in each) {
        if (each.listedMs - each.modifiedMs > orphanMs) orphans.push(each.orphan);
        if (orphans.length === batchSize) orphans = await this.#removeOrphans(orphans);
        continue;
      }
      const isOld = each.timeMs < fromMs || this.#isTooOld(each);
      const isAtBoundary = !isOld && each.timeMs < toMs;
      if (this.#isTooYoung(each) || !(isOld || isAtBoundary)) continue;
      if (isOld || sorted.length >= maxSorted) batch.push(each);
      else sorted.push(each);
      if (batch.length === batchSize) batch = await this.#remove(batch);
    }
    batch = await this.#remove(batch);
    await this.#removeUnits(sorted.sort(compareCandidates));
    await this.#removeOrphans(orphans);
  }

  /** Removes units in their order until the size is reached. */
  async #removeUnits(sorted: readonly Candidate[]): Promise<void> {
    let batch: Candidate[] = [];
    let bytes = 0;
    for (const [at, each] of sorted.entries()) {
      const isNewUnit = at === 0 || unitOf(each) !== unitOf(sorted[at - 1] ?? each);
      if (isNewUnit && (batch.length >= batchSize || this.#remainingBytes - bytes <= this.#maxSize)) {
        batch = await this.#remove(batch);
        bytes = 0;
        if (this.#remainingBytes <= this.#maxSize) return;
      }
      batch.push(each);
      if (this.#holds.reasonFor(each.blob.digest) === undefined) bytes += each.blob.size;
    }
    await this.#remove(batch);
  }

  /** Removes a batch, after the tags of the images that need its blobs. Returns an empty batch. */
  async #remove(batch: readonly Candidate[]): Promise<Candidate[]> {
    const { signal } = this.#options;
    if (batch.length === 0) return [];
    if (!this.#isDryRun) await this.#holds.look({ signal });
    const free = batch.filter(({ blob }) => this.#mayRemove(blob));
    for (const { image } of free) if (image !== undefined) await this.#untag(image);
    const keys = free.map(({ blob }) => this.#parts.keys.blob(blob.digest));
    const failed = new Map<string, string>();
    if (!this.#isDryRun && keys.length > 0) {
      // Others wait for this prune only so long.
      const deadline = AbortSignal.timeout(removalMs);
      const within = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
      const uses = free.map(({ blob }) => this.#parts.keys.of("used", blob.digest));
      for (const { key, code } of await this.#parts.bucket.removeAll(keys, "prune", { signal: within }))
        failed.set(key, code);
      await this.#parts.bucket.removeAll(uses, "prune", { signal: within });
    }
    for (const [at, { blob }] of free.entries()) {
      const { digest, size } = blob;
      const code = failed.get(keys[at] ?? "");
      if (code !== undefined) this.#skip(blob, removalErrorCode(code));
      else {
        if (this.#removed.length < maxReported) this.#removed.push({ digest, size, mediaType: mediaTypes.octetStream });
        this.#removedBytes += size;
        this.#remainingBytes -= size;
      }
    }
    return [];
  }

  #mayRemove(blob: StoredBlob): boolean {
    const reason = this.#holds.reasonFor(blob.digest);
    if (reason !== undefined) this.#skip(blob, reason);
    return reason === undefined;
  }

  #skip({ digest, size }: StoredBlob, reason: string): void {
    if (this.#skipped.size < maxReported) this.#skipped.set(digest, { digest, size, reason });
  }

  async #untag({ digest, names }: TaggedImage): Promise<void> {
    if (this.#untaggedImages.has(digest)) return;
    this.#untaggedImages.add(digest);
    const { signal } = this.#options;
    for (const name of names)
      if (this.#isDryRun || (await this.#parts.tags.untagIf(name, digest, { signal }))) this.#untagged.push(name);
  }

  async *#candidates(): AsyncGenerator<Candidate, void, undefined> {
    for await (const each of this.#listed()) if (!("orphan" in each)) yield each;
  }

  async *#listed(): AsyncGenerator<Candidate | OrphanedUse, void, undefined> {
    const { images, users } = this.#images;
    for await (const each of listBlobs(this.#parts.bucket, this.#parts.keys, this.#options)) {
      if ("orphan" in each) yield each;
      else {
        const image = images[users.get(each.digest) ?? -1];
        yield { blob: each, image, timeMs: image?.usedMs ?? each.usedMs };
      }
    }
  }

  #isTooYoung({ blob, timeMs }: Candidate): boolean {
    const { minAgeMs = 0 } = this.#options;
    return minAgeMs > 0 && nowOf(blob.listedMs) - timeMs < minAgeMs;
  }

  #isTooOld({ blob, timeMs }: Candidate): boolean {
    const { maxAgeMs = Number.POSITIVE_INFINITY } = this.#options;
    return nowOf(blob.listedMs) - timeMs > maxAgeMs;
  }

  async #removeOrphans(keys: readonly string[]): Promise<string[]> {
    if (!this.#isDryRun && keys.length > 0) await this.#parts.bucket.removeAll(keys, "prune", this.#options);
    return [];
  }

  async #abortUploads(): Promise<void> {
    const { bucket, keys, abandonedUploadMs } = this.#parts;
    for await (const upload of listUploads(bucket, keys.blobs, this.#options))
      if (upload.listedMs - upload.startedMs > abandonedUploadMs) await abortUpload(bucket, upload);
  }

  async #removeLapsedFetches(): Promise<void> {
    const { bucket, keys } = this.#parts;
    let lapsed: string[] = [];
    for await (const { key, modifiedMs, listedMs } of bucket.list(keys.folder("fetches"), "prune", this.#options)) {
      if (keys.digestAt("fetches", key) !== undefined && listedMs - modifiedMs > lapsedFetchMs) lapsed.push(key);
      if (lapsed.length === batchSize) lapsed = await this.#removeOrphans(lapsed);
    }
    await this.#removeOrphans(lapsed);
  }

  async #emptyQuarantine(): Promise<void> {
    const { quarantine, bucket } = this.#parts;
    const { minAgeMs = 0 } = this.#options;
    for await (const { key, size, modifiedMs, listedMs } of quarantine.list(this.#options)) {
      if (minAgeMs > 0 && listedMs - modifiedMs < minAgeMs) continue;
      if (!this.#isDryRun) await bucket.remove(key, "empty the quarantine", this.#options);
      this.#quarantined = { files: this.#quarantined.files + 1, bytes: this.#quarantined.bytes + size };
    }
  }

  #report(): PruneReport {
    return {
      removed: this.#removed,
      removedBytes: this.#removedBytes,
      freedBytes: this.#removedBytes + this.#quarantined.bytes,
      remainingBytes: this.#remainingBytes,
      ...(this.#quarantined.files === 0 ? {} : { quarantined: this.#quarantined }),
      untagged: this.#untagged,
      skipped: [...this.#skipped.values()],
      reached: this.#remainingBytes <= this.#maxSize,
      dryRun: this.#isDryRun,
    };
  }
}

/** The server's time has no milliseconds; this machine's has them, and is used if the two agree. */
function nowOf(listedMs: number): number {
  const nowMs = Date.now();
  return Math.abs(nowMs - listedMs) < 2000 ? nowMs : listedMs;
}

function compareCandidates(a: Candidate, b: Candidate): number {
  const [one, other] = [unitOf(a), unitOf(b)];
  return a.timeMs - b.timeMs || (one < other ? -1 : one > other ? 1 : 0);
}

function unitOf({ image, blob }: Candidate): Digest {
  return image?.digest ?? blob.digest;
}
