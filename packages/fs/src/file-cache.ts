import { resolve } from "node:path";
import {
  type Cancellable,
  type CommitMode,
  type Digest,
  type DigestAlgorithm,
  type FollowOptions,
  isDigestAlgorithm,
  isManifestType,
  type Lease,
  type Logger,
  type Membership,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteFollower,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteSource,
  type MoteWriter,
  mediaTypes,
  type Pins,
  type PruneOptions,
  type PruneReport,
  parseDigest,
  type Quarantined,
  type ReadOptions,
  type RemoveOptions,
  type ResumableWriter,
  type StoredMote,
  silentLogger,
  type TagStore,
  type VerifyOptions,
  type VerifyReport,
} from "@mote/core";
import { BlobStore, type OpenBlob } from "./blobs/blob-store.js";
import { ChunkDigests } from "./blobs/chunk-digests.js";
import { LinkOut } from "./blobs/link-out.js";
import { LinkedNotes } from "./blobs/linked-notes.js";
import { ManifestNotes } from "./blobs/manifest-notes.js";
import { Quarantine } from "./blobs/quarantine.js";
import { CooperativeYield } from "./disk/cooperative-yield.js";
import { asynchronousCalls, synchronousCalls } from "./disk/file-calls.js";
import { isUnreadable } from "./disk/file-error.js";
import { notAhead } from "./disk/file-times.js";
import { isOnNetworkFileSystem } from "./disk/network-file-system.js";
import { SmallBuffers } from "./disk/small-buffers.js";
import { StreamBudget } from "./disk/stream-budget.js";
import { type Durability, SyncGroup } from "./disk/sync-group.js";
import { CacheFolder, type SharedWith } from "./folder/cache-folder.js";
import { DigestFiles } from "./folder/digest-files.js";
import { establishFolder, openFolder } from "./folder/open-folder.js";
import { writeUnsynced } from "./processes/atomic-file.js";
import { closedError, IngestFiles } from "./processes/ingest-files.js";
import { LeaseFiles } from "./processes/lease-files.js";
import { WriterLocks } from "./processes/writer-locks.js";
import { storedBlobs } from "./prune/blob-table.js";
import { type KeepIngests, Orphans } from "./prune/orphans.js";
import { type PruneDependencies, pruneBlobs } from "./prune/prune.js";
import { removeUnleased } from "./prune/remove-unleased.js";
import { verifyBlobs } from "./prune/verify.js";
import { BlobFollower } from "./read/blob-follower.js";
import { BlobReader } from "./read/blob-reader.js";
import { BlobReaderAt } from "./read/blob-reader-at.js";
import { Fallback } from "./read/fallback.js";
import { fallbackOnDamage } from "./read/fallback-on-damage.js";
import { SmallReader } from "./read/small-reader.js";
import { FilePins } from "./tags/file-pins.js";
import { MemberFiles } from "./tags/member-files.js";
import { TagFiles } from "./tags/tag-files.js";
import { smallBytes } from "./write/blob-writer.js";
import { commitFile } from "./write/commit-file.js";
import { IngestFile } from "./write/ingest-file.js";
import { ResumableBlobWriter, type ResumableStart, takeOver } from "./write/resumable-writer.js";
import { canDoAtOnce } from "./write/sync-fast-path.js";

export interface FileCacheOptions {
  /** For digests that the cache computes itself; any supported digest is accepted. Default sha256. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /**
   * Whether a reader makes a hard link of its own first. Default: where an open descriptor alone would not keep the blob readable
   * or free to be removed (Windows, network file systems).
   */
  readonly linkOnRead?: boolean | undefined;
  /** Asked by `find`, `moteExists` and both readers for what is not here. Never written to, and nothing is copied from it. */
  readonly fallback?: MoteSource | undefined;
  /** Hash what is read whole. Default true. */
  readonly verifyOnRead?: boolean | undefined;
  /** What is synced when. Default `grouped`. */
  readonly durability?: Durability | undefined;
  /**
   * Many small files that wait at once are synced by one sync of their file system (syncfs(2), by the `sync` program of a shell that is
   * kept for it), where Linux has it. Default: true, except on a network file system. False syncs each file by itself.
   */
  readonly syncTogether?: boolean | undefined;
  /**
   * Short calls (metadata, blobs up to 64 KiB) made synchronously, which is an order of magnitude faster on a local disk. Default: true,
   * except on a network file system.
   */
  readonly synchronous?: boolean | undefined;
  /** Let a group write the cache too. Default: its owner alone. */
  readonly sharedWith?: SharedWith | undefined;
  /** How long, and how much of, unfinished resumable writes is kept. */
  readonly keepParts?: KeepIngests | undefined;
  /**
   * When each MiB of a large blob is hashed by itself, so that parts of it can be checked, too: `verify` (default) when it is
   * verified, `write` also when it is written, which takes a second core.
   */
  readonly chunkDigests?: "verify" | "write" | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * A content-addressed cache in a folder that is an OCI image layout. Any number of processes may use the folder at once. The
 * existence of a file is the truth: there is no index to load, and none that could be wrong.
 */
export class FileCache implements MoteCache {
  /** For digests that the cache computes itself. */
  readonly algorithm: DigestAlgorithm;
  readonly tags: TagStore;
  readonly pinned: Pins;
  readonly membership: Membership;
  readonly #folder: CacheFolder;
  readonly #store: BlobStore;
  readonly #parts: IngestFiles;
  readonly #tagStore: TagFiles;
  readonly #members: MemberFiles;
  readonly #pins: DigestFiles;
  readonly #manifests: ManifestNotes;
  readonly #leases: LeaseFiles;
  readonly #leads: WriterLocks;
  readonly #leftovers: Orphans;
  readonly #links: LinkOut;
  readonly #quarantine: Quarantine;
  readonly #fallback: Fallback | undefined;
  readonly #verifyOnRead: boolean;
  readonly #linkOnRead: boolean;
  readonly #logger: Logger;
  readonly #pending = new Map<Digest, Mote[]>();
  readonly #writers = new Set<ResumableBlobWriter>();
  readonly #owner = {
    naming: (mote: Mote) => this.#noteManifest(mote),
    committed: (mote: Mote) => this.#noteManifest(mote),
    ended: (writer: ResumableBlobWriter) => this.#writers.delete(writer),
  };
  #inspected = false;
  /** What was missing of the folder was made. */
  #isReady = false;
  #opening: Promise<void> | undefined;
  #closed = false;

  /** Nothing is touched before `initialize` or the first use. */
  constructor(root: string, options: FileCacheOptions = {}) {
    if (typeof root !== "string" || root === "") throw new TypeError("a FileCache wants the path of its folder");
    const { algorithm = "sha256", durability = "grouped", logger = silentLogger } = options;
    if (!isDigestAlgorithm(algorithm)) {
      throw new MoteError("MOTE_UNSUPPORTED_ALGORITHM", `"${String(algorithm)}" is none of sha256, sha384, sha512`);
    }
    if (!["visible", "grouped", "synced"].includes(durability)) {
      throw new TypeError(`durability is "visible", "grouped" or "synced", not "${String(durability)}"`);
    }
    const onNetwork = isOnNetworkFileSystem(resolve(root));
    const folder = new CacheFolder(root, options.sharedWith);
    const opened = {
      toRead: () => {
        this.#assertOpen();
        if (this.#inspected) folder.refuseLinks();
        else this.#inspect();
      },
      toWrite: () => this.#openWhole(),
    };
    this.#parts = new IngestFiles(folder);
    this.#members = new MemberFiles(folder, this.#parts, opened);
    this.membership = this.#members;
    const ready = {
      ...opened,
      members: this.#members,
      noteManifest: (manifest: Pick<Mote, "digest" | "mediaType">) => this.#noteManifest(manifest),
      hold: (digests: readonly Digest[], signal: AbortSignal | undefined) => this.#leases.lease(digests, signal),
    };
    this.algorithm = algorithm;
    this.#folder = folder;
    this.#logger = logger;
    this.#store = new BlobStore({
      folder,
      calls: (options.synchronous ?? !onNetwork) ? synchronousCalls : asynchronousCalls,
      parts: this.#parts,
      syncs: new SyncGroup(durability, (options.syncTogether ?? !onNetwork) ? folder.ingest : undefined),
      slices: new CooperativeYield(() => folder.refuseLinks()),
      budget: new StreamBudget(),
      buffers: new SmallBuffers(),
      chunkDigests: new ChunkDigests(folder, (path, bytes) => writeUnsynced(this.#parts, path, bytes)),
      linkedNotes: new LinkedNotes(folder, (path, bytes) => writeUnsynced(this.#parts, path, bytes)),
      chunksOnWrite: options.chunkDigests === "write",
      logger,
      establish: () => establishFolder(folder, this.#parts),
    });
    this.#tagStore = new TagFiles(folder, this.#parts, ready, this.#store.slices);
    this.tags = this.#tagStore;
    this.#pins = new DigestFiles(folder, folder.pins);
    this.pinned = new FilePins(this.#pins, ready, () => this.#store.syncs.namesUnlessVisible(folder.pins));
    this.#manifests = new ManifestNotes(folder);
    this.#leases = new LeaseFiles(folder, this.#parts, logger);
    this.#leads = new WriterLocks(folder, this.#parts);
    const meeting = { leases: this.#leases, leads: this.#leads };
    this.#leftovers = new Orphans(folder, this.#parts, meeting, { keepParts: options.keepParts, logger });
    this.#links = new LinkOut(this.#store);
    this.#quarantine = new Quarantine(folder, logger);
    this.#fallback = options.fallback && new Fallback(options.fallback);
    this.#verifyOnRead = options.verifyOnRead ?? true;
    this.#linkOnRead = options.linkOnRead ?? (process.platform === "win32" || onNetwork);
  }

  /**
   * Opens the folder, or makes it. Optional: the first write does the same, and reads need only what is there. A folder that is an
   * image layout made by others is adopted, with the named manifests of its `index.json` as tags.
   * With `createMissing: false` nothing is made and nothing swept, except that a layout is adopted: for who only looks.
   * @throws MOTE_UNSUPPORTED_FORMAT · MOTE_UNWRITABLE where the folder is not there and cannot be made · MOTE_NO_SPACE · MOTE_IO
   */
  async initialize(options?: Cancellable & { readonly createMissing?: boolean | undefined }): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#assertOpen();
    const state = this.#folder.inspect();
    if (options?.createMissing === false && state !== "layout") return;
    try {
      await this.#openWhole();
    } catch (error) {
      // A folder that is only to be read is still a cache.
      if (!MoteError.isInstance(error) || error.code !== "MOTE_UNWRITABLE" || state === "empty") throw error;
      this.#logger.warn("the cache folder cannot be written: it is only read", { path: this.#folder.root, error });
    }
  }

  /** Always false: there is no state beside the files. */
  isDirty(): boolean {
    return false;
  }

  /** Nothing to do: the files are the truth. */
  async refresh(): Promise<boolean> {
    this.#assertOpen();
    return false;
  }

  /** Nothing to do. */
  async update(): Promise<void> {
    this.#assertOpen();
  }

  async moteExists(digest: Digest, options?: Cancellable): Promise<boolean> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    const found = this.#store.stat(digest);
    if ((found instanceof Promise ? await found : found) !== undefined) return true;
    if (this.#fallback === undefined) return false;
    return await this.#fallback.ask(digest, false, (source) => source.moteExists(digest, options));
  }

  async find(digest: Digest, options?: Cancellable): Promise<MoteInfo | undefined> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    const stats = await this.#store.stat(digest);
    if (stats !== undefined) return { digest, size: stats.size, mediaType: mediaTypes.octetStream };
    return await this.#fallback?.ask(digest, undefined, (source) => source.find(digest, options));
  }

  /** The absolute path of the blob's file. */
  moteRef(digest: Digest): string {
    return this.#folder.blobPath(parseDigest(digest));
  }

  async createMote(digest: Digest, mediaType: string, size?: number, options?: Cancellable): Promise<Mote> {
    this.#begin(digest, options);
    if (size !== undefined && (!Number.isSafeInteger(size) || size < 0)) {
      throw new TypeError(`a size is a whole number of bytes, not ${String(size)}`);
    }
    if (typeof mediaType !== "string") throw new TypeError("a media type is text");
    const mote: Mote = size === undefined ? { digest, mediaType } : { digest, mediaType, size };
    const queue = this.#pending.get(digest);
    if (queue === undefined) this.#pending.set(digest, [mote]);
    else queue.push(mote);
    return mote;
  }

  async moteWriter(digest: Digest, options?: Cancellable): Promise<MoteWriter> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    const mote = this.#takePending(digest);
    if (mote === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not pending: call createMote first`);
    if (!this.#isReady) await this.#open();
    return this.#writerOf(mote, { owner: this.#owner, signal: options?.signal });
  }

  async resumeMote(mote: Mote, options?: Cancellable): Promise<ResumableWriter> {
    const { digest } = mote;
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    this.#forgetPending(mote);
    await this.#open();
    // Too little to be worth a file that outlives its writer.
    if (mote.size !== undefined && mote.size <= smallBytes)
      return this.#writerOf(mote, { owner: this.#owner, signal: options?.signal });
    return await this.#resume(mote, await IngestFile.create(this.#store, digest, "part"), options?.signal);
  }

  async leadMote(mote: Mote, options?: Cancellable): Promise<ResumableWriter | undefined> {
    const { digest } = mote;
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    await this.#openWhole();
    const part = await IngestFile.create(this.#store, digest, "part");
    let isWanted = false;
    try {
      // In this order: who led until now may have committed meanwhile.
      isWanted = this.#leads.claim(digest, part.name) && !(await this.#store.keepsReadable(digest, options?.signal));
    } finally {
      if (!isWanted) await this.#giveUpLead(digest, part);
    }
    if (!isWanted) return undefined;
    this.#forgetPending(mote);
    return await this.#resume(mote, part, options?.signal);
  }

  async followMote(digest: Digest, options: FollowOptions = {}): Promise<MoteFollower | undefined> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    const { start = 0, signal } = options;
    checkRange(start, start);
    const range = { start, signal, verify: this.#verifyOnRead };
    const follower = await BlobFollower.begin(this.#store, this.#leads, digest, range);
    if (follower !== undefined) return follower;
    const opened = await this.#openForReading(digest);
    if (opened === undefined) return undefined;
    const whole = { ...range, end: Number.POSITIVE_INFINITY, elsewhere: undefined, onClose: opened.onClose };
    return await BlobReader.begin(this.#store, digest, opened.blob, whole);
  }

  async moteReader(digest: Digest, options: ReadOptions = {}): Promise<MoteReader> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    const { start = 0, end = Number.POSITIVE_INFINITY, signal } = options;
    checkRange(start, end);
    const how = {
      signal,
      verify: this.#verifyOnRead,
      countsAsUse: options.countsAsUse,
      reuse: options.reuse,
      elsewhere:
        this.#fallback && ((from?: number) => this.#fallbackReader(digest, { ...options, start: from ?? start })),
    };
    if (start === 0 && end === Number.POSITIVE_INFINITY && !this.#linkOnRead && canDoAtOnce(this.#store)) {
      const reader = SmallReader.readAtOnce(this.#store, digest, how);
      if (reader !== undefined) return reader;
    }
    const opened = await this.#openUnlessUnreadable(digest);
    if (opened === undefined) {
      const reader = await this.#fallbackReader(digest, options);
      if (reader === undefined) throw this.#absent(digest);
      return reader;
    }
    return await BlobReader.begin(this.#store, digest, opened.blob, { ...how, start, end, onClose: opened.onClose });
  }

  async moteReaderAt(digest: Digest, options?: Cancellable): Promise<MoteReaderAt> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    const opened = await this.#openUnlessUnreadable(digest);
    if (opened === undefined) {
      const reader = await this.#fallbackReaderAt(digest, options);
      if (reader === undefined) throw this.#absent(digest);
      return reader;
    }
    await this.#store.touch(opened.blob);
    const elsewhere = this.#fallback && (() => this.#fallbackReaderAt(digest, options));
    if (elsewhere !== undefined && this.#verifyOnRead) {
      const from = { signal: options?.signal, elsewhere, onClose: opened.onClose };
      const other = await fallbackOnDamage(this.#store, digest, opened.blob, from);
      if (other !== undefined) return other;
    }
    return new BlobReaderAt(this.#store, digest, opened.blob, {
      verify: this.#verifyOnRead,
      elsewhere,
      onClose: opened.onClose,
    });
  }

  async commitMote(source: string, mote: Mote, mode: CommitMode, options?: Cancellable): Promise<void> {
    if (mode !== "copy" && mode !== "move") throw new TypeError(`the mode is "copy" or "move", not "${String(mode)}"`);
    const slice = this.#begin(mote.digest, options);
    if (slice !== undefined) await slice;
    await this.#open();
    await this.#noteManifest(mote);
    await commitFile(this.#store, source, mote, { mode, signal: options?.signal });
    await this.#noteManifest(mote);
    this.#forgetPending(mote);
  }

  async removeMote(digest: Digest, options?: RemoveOptions): Promise<void> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    if (options?.unlessLeased && (await this.#store.stat(digest)) !== undefined) {
      await this.#openWhole();
      await removeUnleased(this.#pruneParts(), digest);
    } else {
      await this.#store.remove(digest);
    }
    this.#store.chunkDigests.remove(digest);
    this.#store.linkedNotes.remove(digest);
    this.#manifests.removeOfAbsent(digest);
  }

  async prune(maxSize: number, options: PruneOptions = {}): Promise<PruneReport> {
    this.#assertOpen();
    if (options.dryRun) this.#inspect();
    else await this.#openWhole();
    return await pruneBlobs(this.#pruneParts(), maxSize, options);
  }

  async removeClosure(digests: Iterable<Digest>, options: Cancellable = {}): Promise<PruneReport> {
    this.#assertOpen();
    const only = new Set([...digests].map(parseDigest));
    await this.#openWhole();
    return await pruneBlobs(this.#pruneParts(), 0, { ...options, only });
  }

  async linkTo(digest: Digest, target: string, options?: Cancellable): Promise<boolean> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    return await this.#links.linkTo(digest, target, options?.signal);
  }

  /** Media types are known of manifests alone. */
  async *motes(options?: Cancellable): AsyncIterable<StoredMote> {
    this.#assertOpen();
    this.#inspect();
    const manifests = new Set(this.#manifests.list());
    for await (const { digest, stats } of storedBlobs(this.#store, options?.signal)) {
      yield {
        digest,
        size: stats.size,
        mediaType: (manifests.has(digest) && this.#manifests.textOf(digest)) || mediaTypes.octetStream,
        usedMs: notAhead(stats.atimeMs),
        // Zero where the file system keeps no time of birth.
        storedMs: stats.birthtimeMs || stats.ctimeMs,
        isVerified: this.#store.isUnchanged(digest, { stats }),
      };
    }
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertOpen();
    this.#inspect();
    return await verifyBlobs(this.#store, options);
  }

  /** Damaged blobs below `.mote/quarantine`. */
  async quarantined(options?: Cancellable): Promise<Quarantined> {
    options?.signal?.throwIfAborted();
    this.#assertOpen();
    this.#inspect();
    return this.#quarantine.measure();
  }

  async moteIsSound(digest: Digest, options?: Cancellable): Promise<boolean> {
    const slice = this.#begin(digest, options);
    if (slice !== undefined) await slice;
    return await this.#store.keepsSound(digest, options?.signal);
  }

  async lease(digests: Iterable<Digest>, options?: Cancellable): Promise<Lease> {
    this.#assertOpen();
    await this.#openWhole();
    return await this.#leases.lease(digests, options?.signal);
  }

  /** Unfinished writers are given up, resumable ones suspended; readers read on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#pending.clear();
    await Promise.all([...this.#writers].map((writer) => writer.suspend()));
    this.#store.syncs.end();
  }

  /** What every method on a digest does first. Await the result where there is one: the event loop is due. */
  #begin(digest: Digest, options: Cancellable | undefined): Promise<void> | undefined {
    parseDigest(digest);
    this.#assertOpen();
    options?.signal?.throwIfAborted();
    if (!this.#inspected) this.#inspect();
    return this.#store.slices.pause();
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError(`the cache at ${this.#folder.root}`);
  }

  /** Refuses a folder that this release does not know; looks once. */
  #inspect(): void {
    this.#folder.inspect();
    this.#inspected = true;
  }

  /** Makes what is missing, once. A failure is tried again at the next call. */
  #open(): Promise<void> {
    this.#assertOpen();
    this.#opening ??= this.#openFolder().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** As `#open`, and looks whether it still is so: for calls that are rare. */
  async #openWhole(): Promise<void> {
    if (!this.#folder.refuseLinks()) {
      this.#opening = undefined;
      this.#isReady = false;
    }
    await this.#open();
  }

  async #openFolder(): Promise<void> {
    await openFolder(this.#folder, this.#parts, { tags: this.#tagStore, manifests: this.#manifests });
    this.#inspected = true;
    this.#leftovers.sweep();
    this.#isReady = true;
  }

  #pruneParts(): PruneDependencies {
    return {
      store: this.#store,
      tags: this.#tagStore,
      members: this.#members,
      manifests: this.#manifests,
      pins: this.#pins,
      leases: this.#leases,
      leftovers: this.#leftovers,
      quarantine: this.#quarantine,
    };
  }

  #writerOf(mote: Mote, start: ResumableStart): ResumableWriter {
    const writer = new ResumableBlobWriter(this.#store, mote, start);
    this.#writers.add(writer);
    return writer;
  }

  async #resume(mote: Mote, part: IngestFile, signal: AbortSignal | undefined): Promise<ResumableWriter> {
    const { digest } = mote;
    try {
      const taken = await takeOver(this.#store, part, mote, signal);
      return this.#writerOf(mote, {
        ...taken,
        part,
        signal,
        owner: this.#owner,
        onEnd: () => this.#leads.release(digest, part.name),
      });
    } catch (error) {
      await this.#giveUpLead(digest, part);
      throw error;
    }
  }

  async #giveUpLead(digest: Digest, part: IngestFile): Promise<void> {
    await part.discard();
    this.#leads.release(digest, part.name);
  }

  #takePending(digest: Digest): Mote | undefined {
    const queue = this.#pending.get(digest);
    const mote = queue?.shift();
    if (queue?.length === 0) this.#pending.delete(digest);
    return mote;
  }

  #forgetPending(mote: Mote): void {
    const left = this.#pending.get(mote.digest)?.filter((pending) => pending !== mote) ?? [];
    if (left.length > 0) this.#pending.set(mote.digest, left);
    else this.#pending.delete(mote.digest);
  }

  /**
   * A manifest that nobody tags is a root for `prune` all the same. Noted before it has its name, so that no crash makes it a blob like
   * others, and after, lest a prune took the note for one of a blob that is gone.
   */
  #noteManifest({ digest, mediaType }: Pick<Mote, "digest" | "mediaType">): Promise<void> | undefined {
    if (!isManifestType(mediaType)) return undefined;
    if (!this.#folder.refuseLinks()) this.#folder.makeFolders();
    const isNew = this.#manifests.add(digest, mediaType);
    return isNew ? this.#store.syncs.namesUnlessVisible(this.#folder.manifests) : undefined;
  }

  /** Undefined also for a blob that cannot be read and that the fallback has. */
  async #openUnlessUnreadable(digest: Digest): Promise<OpenedBlob | undefined> {
    try {
      return await this.#openForReading(digest);
    } catch (error) {
      if (this.#fallback === undefined || !isUnreadable(error)) throw error;
      if (!(await this.#fallback.ask(digest, false, (source) => source.moteExists(digest)))) throw error;
      this.#logger.warn("a blob cannot be read, and is read from the fallback", { digest, error });
      return undefined;
    }
  }

  async #openForReading(digest: Digest): Promise<OpenedBlob | undefined> {
    if (!this.#linkOnRead) {
      const blob = await this.#store.open(digest);
      return blob && { blob };
    }
    if ((await this.#store.stat(digest)) === undefined) return undefined;
    const { calls } = this.#store;
    const path = this.#parts.newPath(digest, "read");
    const onClose = async () => {
      await calls.unlink(path);
    };
    try {
      await calls.link(this.#folder.blobPath(digest), path);
    } catch (error) {
      this.#logger.warn("a reader's link could not be made: reading without", { digest, error });
      const blob = await this.#store.open(digest);
      return blob && { blob };
    }
    const blob = await this.#store.openAt(path);
    if (blob === undefined) await onClose();
    return blob && { blob: { ...blob, ownLinks: 1 }, onClose };
  }

  async #fallbackReader(digest: Digest, options: ReadOptions): Promise<MoteReader | undefined> {
    return await this.#fallback?.ask(digest, undefined, (source) => source.moteReader(digest, options));
  }

  async #fallbackReaderAt(digest: Digest, options: Cancellable | undefined): Promise<MoteReaderAt | undefined> {
    return await this.#fallback?.ask(digest, undefined, (source) => source.moteReaderAt(digest, options));
  }

  #absent(digest: Digest): MoteError {
    return new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache at ${this.#folder.root}`, {
      details: { digest },
    });
  }
}

interface OpenedBlob {
  readonly blob: OpenBlob;
  readonly onClose?: (() => Promise<void>) | undefined;
}

function checkRange(start: number, end: number): void {
  const isPlace = (value: number) => value >= 0 && (Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY);
  if (!isPlace(start) || !isPlace(end)) throw new TypeError("start and end are whole numbers of bytes, from 0");
}
