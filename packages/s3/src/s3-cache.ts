import {
  assertByteCount,
  assertCommitMode,
  assertPruneBounds,
  type Cancellable,
  type CommitMode,
  type Digest,
  hasCode,
  type Lease,
  type Membership,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteWriter,
  PendingMotes,
  type Pins,
  type PruneOptions,
  type PruneReport,
  parseDigest,
  type QuarantineSize,
  type ReadOptions,
  type RemoveOptions,
  type StoredMote,
  VerifyingWriter,
  type VerifyOptions,
  type VerifyReport,
} from "@mote/core";
import { Bucket } from "./bucket/bucket.js";
import { BucketFormat } from "./bucket/bucket-format.js";
import type { CacheBucket } from "./bucket/cache-bucket.js";
import { BucketKeys } from "./bucket/keys.js";
import { S3FetchLeases } from "./fetches/s3-fetch-leases.js";
import { headerTimeMs } from "./http/exchange.js";
import { S3Client } from "./http/s3-client.js";
import { BucketPins } from "./prune/bucket-pins.js";
import { LeaseObjects } from "./prune/lease-objects.js";
import { BucketPrune, type PruneParts } from "./prune/prune-bucket.js";
import { removeClosure } from "./prune/remove-closure.js";
import { listBlobs } from "./prune/stored-blobs.js";
import { BlobReader } from "./read/blob-reader.js";
import { BlobReaderAt } from "./read/blob-reader-at.js";
import { BlobSource, notFound } from "./read/blob-source.js";
import { existingBlobs } from "./read/existing-blobs.js";
import { QuarantineObjects } from "./read/quarantine-objects.js";
import { UseRecords } from "./read/use-records.js";
import { verifyBlobs } from "./read/verify-blobs.js";
import { type S3CacheOptions, s3CacheSettings } from "./s3-cache-options.js";
import { BucketMembership } from "./tags/bucket-membership.js";
import { S3TagStore } from "./tags/s3-tag-store.js";
import { BlobPuts } from "./write/blob-puts.js";
import { BlobTarget } from "./write/blob-target.js";
import { commitFile } from "./write/commit-file.js";
import { PartSlots } from "./write/part-slots.js";

/** Bytes of parts that are sent at once by all writers of a cache. */
const maxSentBytes = 24 * 1024 * 1024;

/** A content-addressed cache in a bucket of an S3 service, shared by any number of machines. The objects are authoritative. */
export class S3Cache implements MoteCache {
  readonly tags: S3TagStore;
  readonly pinned: Pins;
  readonly membership: Membership;
  /** Decides which member of a fleet fetches a blob. */
  readonly fetchLeases: S3FetchLeases;
  readonly #client: S3Client;
  readonly #from: CacheBucket;
  readonly #source: BlobSource;
  readonly #quarantine: QuarantineObjects;
  readonly #uses: UseRecords;
  readonly #leases: LeaseObjects;
  readonly #puts: BlobPuts;
  readonly #prune: PruneParts;
  readonly #verifyOnRead: boolean;
  readonly #pending = new PendingMotes();
  readonly #slots = new PartSlots(maxSentBytes);
  readonly #writers = new Set<MoteWriter>();
  #closing: Promise<void> | undefined;

  /** Sends nothing before `initialize` or the first use. @throws TypeError · MOTE_CONFIG */
  constructor(options: S3CacheOptions) {
    const { client, verifyOnRead, usePrecisionMs, abandonedUploadMs, logger, encryption } = s3CacheSettings(options);
    const keys = new BucketKeys(options.prefix);
    this.#client = new S3Client(client);
    const bucket = new Bucket(this.#client, encryption);
    const from = { bucket, keys, format: new BucketFormat(bucket, keys), logger, ready: this.#ready.bind(this) };
    const pins = new BucketPins(from);
    this.#from = from;
    this.#verifyOnRead = verifyOnRead;
    this.#source = new BlobSource(bucket, keys);
    this.#quarantine = new QuarantineObjects(from, this.#source);
    this.#uses = new UseRecords(from, usePrecisionMs);
    this.#leases = new LeaseObjects(from);
    this.#puts = new BlobPuts(from);
    this.tags = new S3TagStore(from);
    this.pinned = pins;
    this.membership = new BucketMembership(from);
    this.fetchLeases = new S3FetchLeases(from);
    this.#prune = {
      ...{ bucket, keys, leases: this.#leases, pins, tags: this.tags, quarantine: this.#quarantine, abandonedUploadMs },
      images: { source: this, tags: this.tags, usedMs: (manifest) => this.#usedMs(manifest) },
    };
  }

  /**
   * Checks that the bucket exists and can be read, and prepares it. A bucket that cannot be written is used read-only.
   * @throws MOTE_UNSUPPORTED_FORMAT · MOTE_CONFIG · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_UNREACHABLE
   */
  async initialize(options: Cancellable = {}): Promise<void> {
    await this.#ready({ ...options, toWrite: false });
    await this.#from.format.establish().catch((error: unknown) => {
      if (!hasCode(error, "MOTE_UNWRITABLE", "MOTE_NO_SPACE")) throw error;
    });
  }

  /** Returns false: nothing is stored outside the bucket. */
  isDirty(): boolean {
    return false;
  }

  async refresh(): Promise<boolean> {
    this.#assertOpen();
    return false;
  }

  async update(): Promise<void> {
    this.#assertOpen();
  }

  async moteExists(digest: Digest, options?: Cancellable): Promise<boolean> {
    return (await this.find(digest, options)) !== undefined;
  }

  /** Requests the head of the object. The media type is the one that the mote was stored with. */
  async find(digest: Digest, options: Cancellable = {}): Promise<MoteInfo | undefined> {
    parseDigest(digest);
    const found = await this.#read(() => this.#source.find(digest, options), options);
    return found && { digest, size: found.size, mediaType: found.mediaType };
  }

  /** Lists the blobs, as far as a page answers for many of them; requests the heads of the other objects. */
  async existing(digests: Iterable<Digest>, options: Cancellable = {}): Promise<ReadonlyMap<Digest, number>> {
    const wanted = new Set([...digests].map(parseDigest));
    return await this.#read(() => existingBlobs(this.#from, this.#source, wanted, options), options);
  }

  /** Returns the URL of the object, which needs a signature. */
  moteRef(digest: Digest): string {
    return this.#client.address.url(this.#from.keys.blob(parseDigest(digest))).href;
  }

  async createMote(digest: Digest, mediaType: string, size?: number, { signal }: Cancellable = {}): Promise<Mote> {
    parseDigest(digest);
    this.#assertOpen();
    signal?.throwIfAborted();
    return this.#pending.create(digest, mediaType, size);
  }

  async moteWriter(digest: Digest, { signal }: Cancellable = {}): Promise<MoteWriter> {
    parseDigest(digest);
    this.#assertOpen();
    signal?.throwIfAborted();
    const mote = this.#pending.take(digest);
    const target = new BlobTarget(this.#puts, this.#slots, mote, signal);
    const writer: MoteWriter = new VerifyingWriter(mote, {
      write: (bytes) => target.write(bytes),
      commit: async (info) => {
        await target.commit(info);
        this.#writers.delete(writer);
      },
      discard: async () => {
        this.#writers.delete(writer);
        await target.discard();
      },
    });
    this.#writers.add(writer);
    return writer;
  }

  async moteReader(digest: Digest, options: ReadOptions = {}): Promise<MoteReader> {
    const { start = 0, end, countsAsUse = true, verifyOnRead = this.#verifyOnRead, signal } = options;
    parseDigest(digest);
    assertByteCount(start);
    assertByteCount(end);
    const opened = await this.#read(
      () => this.#source.open(digest, { start, end }, { signal }),
      options,
      (sent) => sent?.response?.discard(),
    );
    if (opened === undefined) throw notFound(digest, this.#client.address.bucket);
    if (countsAsUse) this.#uses.record(digest, opened.modifiedMs);
    return new BlobReader(this.#source, opened, {
      ...{ start, end: end ?? opened.info.size, verify: verifyOnRead, signal },
      onDamage: () => this.#quarantine.quarantine(digest),
    });
  }

  /** Reads at any position, in blocks of 1 MiB. Only blocks that were read are readable after the mote is removed. */
  async moteReaderAt(digest: Digest, options: Cancellable = {}): Promise<MoteReaderAt> {
    parseDigest(digest);
    const { reader, modifiedMs } = await this.#read(() => BlobReaderAt.open(this.#source, digest, options), options);
    this.#uses.record(digest, modifiedMs);
    return reader;
  }

  async commitMote(source: string, mote: Mote, mode: CommitMode, { signal }: Cancellable = {}): Promise<void> {
    assertCommitMode(mode);
    parseDigest(mote.digest);
    this.#assertOpen();
    signal?.throwIfAborted();
    await commitFile(this.#puts, { source, mote, mode, signal });
  }

  async removeMote(digest: Digest, { signal, unlessLeased = false }: RemoveOptions = {}): Promise<void> {
    parseDigest(digest);
    await this.#ready({ signal, toWrite: false });
    if (unlessLeased && (await this.#leases.leased({ signal })).has(digest))
      throw new MoteError("MOTE_IN_USE", `${digest} is leased; try again later`, { details: { digest } });
    await this.#from.bucket.remove(this.#from.keys.blob(digest), `remove ${digest}`, { signal });
  }

  /**
   * Removes images and blobs, the least recently used first, with one listing of the bucket for each pass. Also removes unfinished uploads. The
   * report names at most 50,000 removed motes.
   */
  async prune(maxSize: number, options: PruneOptions = {}): Promise<PruneReport> {
    this.#assertOpen();
    assertPruneBounds(maxSize, options);
    await this.#ready({ signal: options.signal, toWrite: false });
    return await new BucketPrune(this.#prune, maxSize, options).run();
  }

  async removeClosure(digests: Iterable<Digest>, options: Cancellable = {}): Promise<PruneReport> {
    const roots = new Set([...digests].map(parseDigest));
    await this.#ready({ ...options, toWrite: false });
    return await removeClosure(this.#prune, roots, options);
  }

  /** Lists the bucket. Media types are not listed. */
  async *motes(options: Cancellable = {}): AsyncGenerator<StoredMote, void, undefined> {
    await this.#ready({ ...options, toWrite: false });
    for await (const each of listBlobs(this.#from.bucket, this.#from.keys, options)) {
      if ("orphan" in each) continue;
      const { listedMs, ...mote } = each;
      yield mote;
    }
  }

  /** Downloads and hashes all motes. */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertOpen();
    return await verifyBlobs(this.motes(options), this.#quarantine, options);
  }

  /** Downloads and hashes a mote. */
  async verifyMote(digest: Digest, options: Cancellable = {}): Promise<boolean> {
    if (!(await this.moteExists(digest, options))) return false;
    const isVerified = await this.#quarantine.matchesDigest(digest, options);
    if (!isVerified) await this.#quarantine.move(digest);
    return isVerified;
  }

  async quarantined(options: Cancellable = {}): Promise<QuarantineSize> {
    await this.#ready({ ...options, toWrite: false });
    return await this.#quarantine.size(options);
  }

  /** Leases motes until release. A lease that is not renewed, because its process has died, ends after ten minutes. */
  async lease(digests: Iterable<Digest>, options: Cancellable = {}): Promise<Lease> {
    const leased = [...digests].map(parseDigest);
    await this.#ready({ ...options, toWrite: true });
    return await this.#leases.lease(leased, options);
  }

  /** Aborts unfinished writers and waits for records of uses. Leases that were not released lapse. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#leases.stop();
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
    await this.#uses.settle();
  }

  async #usedMs(manifest: Digest): Promise<number | undefined> {
    const key = this.#from.keys.of("used", manifest);
    const [storedMs, use] = await Promise.all([
      this.#source.storedMs(manifest),
      this.#from.bucket.head(key, "find the last use of a manifest"),
    ]);
    const usedMs = use && headerTimeMs(use, "last-modified");
    return usedMs === undefined ? storedMs : Math.max(usedMs, storedMs ?? 0);
  }

  /** Checks the format beside the first requests, so that it costs no round trip. */
  async #read<T>(send: () => Promise<T>, options: Cancellable, discard?: (sent: T) => void): Promise<T> {
    this.#assertOpen();
    options.signal?.throwIfAborted();
    const [sent, ready] = await Promise.allSettled([send(), this.#ready({ ...options, toWrite: false })]);
    if (ready.status === "rejected") {
      if (sent.status === "fulfilled") discard?.(sent.value);
      throw ready.reason;
    }
    if (sent.status === "rejected") throw sent.reason;
    return sent.value;
  }

  async #ready({ signal, toWrite }: Cancellable & { readonly toWrite: boolean }): Promise<void> {
    this.#assertOpen();
    signal?.throwIfAborted();
    await this.#from.format.check();
    if (toWrite) await this.#from.format.establish();
    this.#assertOpen();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new MoteError("MOTE_CLOSED", "the cache is closed");
  }
}
