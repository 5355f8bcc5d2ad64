import {
  assertCommitMode,
  type Cancellable,
  type CommitMode,
  type Digest,
  type DigestAlgorithm,
  type FollowOptions,
  type Freshness,
  hasCode,
  type LeadOptions,
  type Lease,
  type Logger,
  type Membership,
  type Mote,
  type MoteCache,
  type MoteFollower,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteWriter,
  type Pins,
  type PruneOptions,
  type PruneReport,
  parseDigest,
  type QuarantineSize,
  type ReadOptions,
  type RemoveOptions,
  type ResumableWriter,
  type StoredMote,
  type TagStore,
  type TemporaryFolder,
  type Uploads,
  type VerifyOptions,
  type VerifyReport,
  type WaitingMotes,
} from "@mote/core";
import { BlobStore } from "./blobs/blob-store.js";
import { LinkOut } from "./blobs/link-out.js";
import { ManifestNotes } from "./blobs/manifest-notes.js";
import { Quarantine } from "./blobs/quarantine.js";
import { SyncGroup } from "./disk/sync-group.js";
import { type FileCacheOptions, fileCacheSettings } from "./file-cache-options.js";
import { CacheFolder } from "./folder/cache-folder.js";
import { DigestFiles } from "./folder/digest-files.js";
import { IngestFiles } from "./processes/ingest-files.js";
import { LeaseFiles } from "./processes/lease-files.js";
import { makeTemporaryFolder } from "./processes/temporary-folder.js";
import { WriterLocks } from "./processes/writer-locks.js";
import type { PruneDependencies } from "./prune/dependencies.js";
import { Orphans } from "./prune/orphans.js";
import { pruneBlobs } from "./prune/prune.js";
import { removeBlob } from "./prune/remove-blob.js";
import { listStored } from "./prune/stored.js";
import { verifyBlobs } from "./prune/verify.js";
import { BlobReaders } from "./read/blob-readers.js";
import { Fallback } from "./read/fallback.js";
import { checkFiles } from "./tags/check-files.js";
import { filePins, waitingFiles } from "./tags/digest-sets.js";
import { FolderOpening } from "./tags/folder-opening.js";
import { MemberFiles } from "./tags/member-files.js";
import { establishFolder, openFolder } from "./tags/open-folder.js";
import { TagFiles } from "./tags/tag-files.js";
import { FileUploads } from "./uploads/file-uploads.js";
import { BlobWriters } from "./write/blob-writers.js";

/** A content-addressed cache in a folder that is an OCI image layout, shared by any number of processes. The files are authoritative. */
export class FileCache implements MoteCache {
  /** For digests that the cache computes itself. */
  readonly algorithm: DigestAlgorithm;
  readonly tags: TagStore;
  readonly pinned: Pins;
  readonly membership: Membership;
  readonly freshness: Freshness;
  readonly uploads: Uploads;
  readonly waiting: WaitingMotes;
  readonly #folder: CacheFolder;
  readonly #opening: FolderOpening;
  readonly #store: BlobStore;
  readonly #readers: BlobReaders;
  readonly #writers: BlobWriters;
  readonly #links: LinkOut;
  readonly #prune: PruneDependencies;
  readonly #logger: Logger;

  /** Accesses nothing before `initialize` or the first use. */
  constructor(root: string, options: FileCacheOptions = {}) {
    const { algorithm, logger, ...settings } = fileCacheSettings(root, options);
    const folder = new CacheFolder(root, settings.sharedWith);
    const ingests = new IngestFiles(folder);
    const syncs = new SyncGroup(settings.durability, settings.syncTogether ? folder.ingest : undefined);
    const { calls, chunksOnWrite } = settings;
    const establish = () => establishFolder(ingests);
    const store = new BlobStore({ ingests, syncs }, { calls, chunksOnWrite, logger, establish });
    const leases = new LeaseFiles(ingests, logger);
    const locks = new WriterLocks(ingests);
    const manifests = new ManifestNotes(folder, syncs);
    const pins = new DigestFiles(folder, folder.pins);
    const waiting = new DigestFiles(folder, folder.waiting);
    const opening = new FolderOpening(folder, async () => {
      await openFolder(ingests, { tags, manifests });
      orphans.cleanUp();
    });
    const recordTags = async (store: TagStore) => store === tags && (await tags.recordMembers());
    const members = new MemberFiles(ingests, opening, recordTags);
    const checks = checkFiles(ingests, opening);
    const tags: TagFiles = new TagFiles({ ingests, opening, yields: store.yields, manifests, leases, members });
    const uploads = new FileUploads(store, opening, settings.keepUploads);
    const { keepIngests } = settings;
    const orphans = new Orphans({ ingests, leases, locks, uploads, keep: keepIngests ?? {}, logger });
    this.algorithm = algorithm;
    this.tags = tags;
    this.membership = members;
    this.freshness = checks;
    this.uploads = uploads;
    this.waiting = waitingFiles(waiting, opening);
    this.pinned = filePins(pins, opening, syncs, leases);
    this.#folder = folder;
    this.#logger = logger;
    this.#store = store;
    this.#links = new LinkOut(store);
    this.#writers = new BlobWriters(store, locks, manifests);
    const fallback = settings.fallback && new Fallback(settings.fallback);
    const { verifyOnRead: verify, linkOnRead, isLocal } = settings;
    this.#readers = new BlobReaders(store, locks, { verify, linkOnRead, isLocal, fallback });
    const quarantine = new Quarantine(folder, logger);
    this.#prune = { store, tags, members, checks, manifests, pins, waiting, leases, orphans, quarantine };
    this.#opening = opening;
  }

  /**
   * Opens the folder, or creates it. Optional: the first write does the same, and reads need only existing files. Another program's
   * image layout is adopted, with the named manifests of its `index.json` as tags.
   * @param options.createMissing pass false when only inspecting: nothing is created and nothing cleaned up, except that a layout is adopted
   * @throws MOTE_UNSUPPORTED_FORMAT · MOTE_UNWRITABLE if the folder does not exist and cannot be created · MOTE_NO_SPACE · MOTE_IO
   */
  async initialize(options?: Cancellable & { readonly createMissing?: boolean | undefined }): Promise<void> {
    this.#opening.assertOpen(options);
    const state = this.#folder.inspect();
    if (options?.createMissing === false && state !== "layout") return;
    try {
      await this.#opening.toWrite();
    } catch (error) {
      // A read-only folder is still a cache.
      if (!hasCode(error, "MOTE_UNWRITABLE") || state === "empty") throw error;
      this.#logger.warn("cannot write to the cache folder; using it read-only", { path: this.#folder.root, error });
    }
  }

  /** Returns whether `index.json` lacks tag changes made by this cache. The files of the tags are authoritative. */
  isDirty(): boolean {
    return this.#prune.tags.view.isDirty;
  }

  /** Does nothing: the files are always current. */
  async refresh(): Promise<boolean> {
    this.#opening.assertOpen();
    return false;
  }

  /** Writes `index.json` now, if the cache is dirty. */
  async update(): Promise<void> {
    this.#opening.assertOpen();
    if (this.isDirty()) await this.#prune.tags.view.write();
  }

  async moteExists(digest: Digest, options?: Cancellable): Promise<boolean> {
    const turn = this.#begin(digest, options);
    if (turn !== undefined) await turn;
    return await this.#readers.exists(digest, options);
  }

  async find(digest: Digest, options?: Cancellable): Promise<MoteInfo | undefined> {
    const turn = this.#begin(digest, options);
    if (turn !== undefined) await turn;
    return await this.#readers.find(digest, options);
  }

  /** Returns the absolute path of the blob's file. */
  moteRef(digest: Digest): string {
    return this.#folder.blobPath(parseDigest(digest));
  }

  async createMote(digest: Digest, mediaType: string, size?: number, options?: Cancellable): Promise<Mote> {
    this.#begin(digest, options);
    return this.#writers.announce(digest, mediaType, size);
  }

  async moteWriter(digest: Digest, options?: Cancellable): Promise<MoteWriter> {
    const turn = this.#begin(digest, options);
    if (turn !== undefined) await turn;
    const mote = this.#writers.takePending(digest);
    if (!this.#opening.isOpen) await this.#opening.toWriteOften();
    return this.#writers.writer(mote, options?.signal);
  }

  async resumeMote(mote: Mote, options?: Cancellable): Promise<ResumableWriter> {
    await this.#begin(mote.digest, options);
    await this.#opening.toWriteOften();
    return await this.#writers.resume(mote, options?.signal);
  }

  async leadMote(mote: Mote, options: LeadOptions = {}): Promise<ResumableWriter | undefined> {
    await this.#begin(mote.digest, options);
    await this.#opening.toWrite();
    return await this.#writers.lead(mote, options);
  }

  async followMote(digest: Digest, options: FollowOptions = {}): Promise<MoteFollower | undefined> {
    await this.#begin(digest, options);
    return await this.#readers.follow(digest, options);
  }

  async moteReader(digest: Digest, options: ReadOptions = {}): Promise<MoteReader> {
    const turn = this.#begin(digest, options);
    if (turn !== undefined) await turn;
    const reader = this.#readers.reader(digest, options);
    return reader instanceof Promise ? await reader : reader;
  }

  async moteReaderAt(digest: Digest, options?: Cancellable): Promise<MoteReaderAt> {
    await this.#begin(digest, options);
    return await this.#readers.readerAt(digest, options);
  }

  async commitMote(source: string, mote: Mote, mode: CommitMode, options?: Cancellable): Promise<void> {
    assertCommitMode(mode);
    await this.#begin(mote.digest, options);
    await this.#opening.toWriteOften();
    await this.#writers.commit(source, mote, mode, options?.signal);
  }

  async removeMote(digest: Digest, options?: RemoveOptions): Promise<void> {
    await this.#begin(digest, options);
    const unlessLeased = options?.unlessLeased && (await this.#store.stat(digest)) !== undefined;
    if (unlessLeased) await this.#opening.toWrite();
    await removeBlob(this.#prune, digest, { unlessLeased });
  }

  async prune(maxSize: number, options: PruneOptions = {}): Promise<PruneReport> {
    if (options.dryRun) this.#opening.inspect(options);
    else await this.#opening.toWrite(options);
    return await pruneBlobs(this.#prune, maxSize, options);
  }

  async removeClosure(digests: Iterable<Digest>, options: Cancellable = {}): Promise<PruneReport> {
    const only = new Set([...digests].map(parseDigest));
    await this.#opening.toWrite(options);
    return await pruneBlobs(this.#prune, 0, { ...options, only });
  }

  async linkTo(digest: Digest, target: string, options?: Cancellable): Promise<boolean> {
    await this.#begin(digest, options);
    return await this.#links.linkTo(digest, target, options?.signal);
  }

  async temporaryFolder(options?: Cancellable): Promise<TemporaryFolder> {
    await this.#opening.toWrite(options);
    return makeTemporaryFolder(this.#store.ingests);
  }

  /** Media types are known only for manifests. */
  async *motes(options?: Cancellable): AsyncIterable<StoredMote> {
    this.#opening.inspect(options);
    yield* listStored(this.#store, this.#prune.manifests, options?.signal);
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#opening.inspect(options);
    return await verifyBlobs(this.#store, options);
  }

  /** Returns how many damaged blobs are below `.mote/quarantine`. */
  async quarantined(options?: Cancellable): Promise<QuarantineSize> {
    this.#opening.inspect(options);
    return this.#prune.quarantine.measure();
  }

  async verifyMote(digest: Digest, options?: Cancellable): Promise<boolean> {
    await this.#begin(digest, options);
    return await this.#store.hasVerified(digest, options?.signal);
  }

  async lease(digests: Iterable<Digest>, options?: Cancellable): Promise<Lease> {
    await this.#opening.toWrite(options);
    return await this.#prune.leases.lease(digests, options?.signal);
  }

  /** Aborts unfinished writers and suspends resumable ones; open readers stay readable. Writes `index.json` if the cache is dirty. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#opening.close();
    await this.#writers.suspend();
    try {
      if (this.isDirty()) await this.#prune.tags.view.write();
    } catch (error) {
      // The next process writes it.
      this.#logger.warn("cannot write index.json", { path: this.#folder.root, error });
    }
    this.#store.syncs.end();
  }

  /** Does the first steps of every method on a digest. Await the result if there is one, to yield to the event loop. */
  #begin(digest: Digest, options: Cancellable | undefined): Promise<void> | undefined {
    parseDigest(digest);
    this.#opening.toReadOften(options);
    return this.#store.yields.yieldIfDue();
  }
}
