import type { Stats } from "node:fs";
import {
  createDigester,
  type Digest,
  digestAlgorithm,
  digestBytes,
  errorCode,
  isAbsent,
  type Logger,
  MoteError,
} from "@mote/core";
import { CooperativeYield } from "../disk/cooperative-yield.js";
import type { FileCalls } from "../disk/file-calls.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { SmallBuffers, smallBytes } from "../disk/small-buffers.js";
import { runSteps, type Soon, type Steps, step } from "../disk/steps.js";
import { StreamBudget } from "../disk/stream-budget.js";
import type { SyncGroup } from "../disk/sync-group.js";
import { CacheFolder } from "../folder/cache-folder.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import { ChunkDigests, ChunkHasher, chunkBytes, chunksMatch } from "./chunk-digests.js";
import { isSettled, LinkedNotes, notedBytes } from "./linked-notes.js";
import type { OpenBlob } from "./open-blob.js";
import { isSameFile, Stamping } from "./stamping.js";
import { hasVerifiedStamp, isPrivate } from "./verified-stamp.js";

/** A blob read again within this time is not touched again. */
const touchEveryMs = 60_000;
/** Touching a file updates its change time, which shows that a file linked outside the cache is unchanged. */
const touchLinkedEveryMs = 24 * 60 * 60 * 1000;

/** The complete blobs of a cache folder, and the operations on one of them. */
export class BlobStore {
  readonly folder: CacheFolder;
  readonly ingests: IngestFiles;
  readonly syncs: SyncGroup;
  readonly calls: FileCalls;
  /** Whether written blobs are also hashed chunk by chunk. */
  readonly chunksOnWrite: boolean;
  readonly logger: Logger;
  /** Creates whatever the folder lacks. */
  readonly establish: () => Promise<void>;
  readonly stamping: Stamping;
  readonly chunkDigests: ChunkDigests;
  readonly linkedNotes: LinkedNotes;
  readonly yields = new CooperativeYield(() => this.folder.refuseNewLinks());
  readonly budget = new StreamBudget();
  readonly buffers = new SmallBuffers();

  constructor(
    { ingests, syncs }: Pick<BlobStore, "ingests" | "syncs">,
    { calls, chunksOnWrite, logger, establish }: Pick<BlobStore, "calls" | "chunksOnWrite" | "logger" | "establish">,
  ) {
    this.folder = ingests.folder;
    this.ingests = ingests;
    this.syncs = syncs;
    this.calls = calls;
    this.chunksOnWrite = chunksOnWrite;
    this.logger = logger;
    this.establish = establish;
    this.stamping = new Stamping(calls, logger);
    this.chunkDigests = new ChunkDigests(ingests);
    this.linkedNotes = new LinkedNotes(ingests);
  }

  /** Returns undefined unless it is a regular file. */
  stat(digest: Digest): Soon<Stats | undefined> {
    const path = this.folder.blobPath(digest);
    const missOrThrow = (error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw fileError(error, "read", path);
    };
    let stats: ReturnType<FileCalls["lstat"]>;
    try {
      stats = this.calls.lstat(path);
    } catch (error) {
      return missOrThrow(error);
    }
    return stats instanceof Promise ? stats.then(regularFile, missOrThrow) : regularFile(stats);
  }

  /** Returns whether the blob exists, is readable, and was verified since it last changed. */
  isVerified(digest: Digest): Soon<boolean> {
    const path = this.folder.blobPath(digest);
    // A cheap check first: most often the blob does not exist.
    return this.calls.mayExist(path) && runSteps(this.#isVerified(digest, path));
  }

  *#isVerified(digest: Digest, path: string): Steps<boolean> {
    const stats = yield* step(this.stat(digest));
    return stats !== undefined && this.isUnchanged(digest, { stats }) && (yield* step(this.calls.canRead(path)));
  }

  /** Returns whether a file is unchanged since it was verified, by its stamp, or by a note if a user can reach it by another name. */
  isUnchanged(digest: Digest, { stats, ownLinks }: Pick<OpenBlob, "stats" | "ownLinks">): boolean {
    return hasVerifiedStamp(stats, digest, ownLinks) || this.linkedNotes.matches(digest, stats);
  }

  /** Returns undefined if there is no regular file. Only `touch` updates the time of use: verifying a blob does not count as use. */
  open(digest: Digest): Soon<OpenBlob | undefined> {
    return this.openAt(this.folder.blobPath(digest));
  }

  openAt(path: string): Soon<OpenBlob | undefined> {
    return runSteps(this.#openAt(path));
  }

  *#openAt(path: string): Steps<OpenBlob | undefined> {
    let fd: number;
    try {
      fd = yield* step(this.calls.openToRead(path));
    } catch (error) {
      if (isAbsent(error) || errorCode(error) === "ELOOP" || errorCode(error) === "ENXIO") return undefined;
      throw fileError(error, "read", path);
    }
    let stats: Stats;
    try {
      stats = yield* step(this.calls.fstat(fd));
    } catch (error) {
      yield* step(this.calls.close(fd));
      throw fileError(error, "read", path);
    }
    if (stats.isFile()) return { fd, stats };
    yield* step(this.calls.close(fd));
    return undefined;
  }

  /** @param path another path of the blob's file @returns whether it existed */
  remove(digest: Digest, path: string = this.folder.blobPath(digest)): Soon<boolean> {
    const missOrThrow = (error: unknown) => {
      if (isAbsent(error)) return false;
      throw fileError(error, "write", path);
    };
    try {
      const removing = this.calls.unlink(path);
      return removing instanceof Promise ? removing.then(() => true, missOrThrow) : true;
    } catch (error) {
      return missOrThrow(error);
    }
  }

  isTouchDue({ stats, ownLinks }: OpenBlob): boolean {
    const everyMs = isPrivate(stats, ownLinks) ? touchEveryMs : touchLinkedEveryMs;
    return Math.abs(Date.now() - stats.atimeMs) >= everyMs;
  }

  /** Updates the blob's access time, at most once a minute: mounts with noatime or relatime would hide its use. */
  async touch(blob: OpenBlob): Promise<void> {
    if (this.isTouchDue(blob)) await this.stamping.touch(blob);
  }

  /**
   * Hashes a blob again: completely, or by its chunks on several cores if their digests are known. Stores the digests of the chunks.
   * @returns whether its bytes match
   */
  async rehash(digest: Digest, blob: OpenBlob, signal: AbortSignal | undefined): Promise<boolean> {
    if (blob.stats.size <= chunkBytes) return await this.rehashWhole(digest, blob, signal);
    return await this.#marking(digest, blob, async () => {
      try {
        const known = this.chunkDigests.load(digest);
        if (known !== undefined && (await chunksMatch(blob, known, signal))) return true;
      } catch (error) {
        throw fileError(error, "read", this.folder.blobPath(digest));
      }
      const hasher = new ChunkHasher();
      if (!(await this.#hashesRight(digest, blob, signal, (chunk) => hasher.update(chunk)))) return false;
      this.noteChunks(digest, await hasher.digests());
      return true;
    });
  }

  /** Best effort: without chunk digests, ranges of the blob are not verified. */
  noteChunks(digest: Digest, digests: Uint8Array): void {
    try {
      this.chunkDigests.save(digest, digests);
    } catch (error) {
      this.logger.debug("cannot store chunk digests", { digest, error });
    }
  }

  /** Hashes an open blob. Stamps it if its bytes match and it was not written to meanwhile. */
  async rehashWhole(digest: Digest, blob: OpenBlob, signal: AbortSignal | undefined): Promise<boolean> {
    return await this.#marking(digest, blob, () =>
      blob.stats.size <= smallBytes ? this.#smallHashesRight(digest, blob) : this.#hashesRight(digest, blob, signal),
    );
  }

  /** Reads the blob at once, by a short call. */
  async #smallHashesRight(digest: Digest, { fd, stats }: OpenBlob): Promise<boolean> {
    const turn = this.yields.yieldIfDue();
    if (turn !== undefined) await turn;
    const buffer = this.buffers.acquire(stats.size);
    try {
      const bytes = buffer.subarray(0, stats.size);
      const read = await this.calls.read(fd, bytes, 0);
      return read === stats.size && digestBytes(bytes, digestAlgorithm(digest)) === digest;
    } catch (error) {
      throw fileError(error, "read", this.folder.blobPath(digest));
    } finally {
      this.buffers.release(buffer);
    }
  }

  /** Runs `hash` and, if the bytes match, marks the file as verified: by a stamp, or by a note if it has other names and is not small. */
  async #marking(digest: Digest, blob: OpenBlob, hash: () => Promise<boolean>): Promise<boolean> {
    if (isPrivate(blob.stats, blob.ownLinks)) return await this.stamping.around(digest, blob, hash);
    if (blob.stats.size <= notedBytes) return await hash();
    const before = await this.statsNow(blob.fd);
    const canTell = before !== undefined && isSettled(before);
    if (!(await hash())) return false;
    const after = await this.statsNow(blob.fd);
    if (!canTell || after === undefined) return true;
    if (isSameFile(before, after) && before.ctimeMs === after.ctimeMs) this.linkedNotes.save(digest, after);
    return true;
  }

  /** Returns undefined if the call fails. For notes, which are optional. */
  async statsNow(fd: number): Promise<Stats | undefined> {
    try {
      return await this.calls.fstat(fd);
    } catch {
      return undefined;
    }
  }

  async #hashesRight(
    digest: Digest,
    { fd, stats }: OpenBlob,
    signal: AbortSignal | undefined,
    beside?: (chunk: Uint8Array) => Promise<void>,
  ): Promise<boolean> {
    const digester = createDigester(digestAlgorithm(digest));
    // Chunks that are also hashed separately are read at that size; otherwise they would have to be reassembled.
    const length = () => (beside === undefined ? this.budget.chunkBytes : chunkBytes);
    const chunks = new FileChunks(fd, { start: 0, end: stats.size }, length, { reuse: true });
    this.budget.acquire();
    try {
      for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
        signal?.throwIfAborted();
        const work = beside?.(chunk);
        digester.update(chunk);
        await work;
      }
    } catch (error) {
      throw fileError(error, "read", this.folder.blobPath(digest));
    } finally {
      await chunks.stop();
      this.budget.release();
    }
    return digester.digest() === digest;
  }

  /** Returns whether the blob exists and is intact; counts as use. Quarantines a damaged one, so that no follower reads it. */
  async hasVerified(digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
    const blob = await this.open(digest);
    if (blob === undefined) return false;
    try {
      await this.touch(blob);
      const isVerified = this.isUnchanged(digest, blob) || (await this.rehash(digest, blob, signal));
      if (!isVerified) await this.quarantine(digest, blob.stats);
      return isVerified;
    } finally {
      await this.calls.close(blob.fd);
    }
  }

  /** As `hasVerified`, for a writer: also quarantines an unreadable blob, since it is about to be rewritten. */
  async hasReadable(digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      return await this.hasVerified(digest, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isUnreadable(error)) throw error;
      this.logger.warn("cannot read a blob; rewriting it", { digest, error });
      const stats = await this.stat(digest);
      if (stats !== undefined) await this.quarantine(digest, stats);
      return false;
    }
  }

  /** Moves a damaged blob to the quarantine, unless another file got its name meanwhile. @returns its new path, if it could be moved */
  async quarantine(digest: Digest, damaged: Stats): Promise<string | undefined> {
    const path = this.folder.blobPath(digest);
    const name = `${CacheFolder.nameOf(digest)}.${Date.now()}.${damaged.ino}`;
    // If the quarantine is not writable, the blob goes to the unfinished files, and is removed with them.
    for (const aside of [`${this.folder.quarantine}/${name}`, this.ingests.newPath(digest, "tmp")]) {
      try {
        if ((await this.calls.lstat(path))?.ino !== damaged.ino) return undefined;
        await this.calls.rename(path, aside);
        const moved = await this.calls.lstat(aside);
        if (moved === undefined || moved.ino === damaged.ino) {
          this.logger.warn("quarantined a damaged blob", { digest, path: aside });
          return aside;
        }
        await this.#putBack(aside, path);
        return undefined;
      } catch (error) {
        this.logger.warn("cannot quarantine a damaged blob", { digest, path, error });
      }
    }
    return undefined;
  }

  /** Quarantines a damaged blob. @throws MOTE_CORRUPT always */
  async reject(digest: Digest, damaged: Stats): Promise<never> {
    await this.quarantine(digest, damaged);
    throw this.corruptError(digest);
  }

  corruptError(digest: Digest): MoteError {
    const path = this.folder.blobPath(digest);
    return new MoteError("MOTE_CORRUPT", `${digest} is damaged at ${path}; it was quarantined: fetch it again`, {
      details: { digest, path },
    });
  }

  async #putBack(aside: string, path: string): Promise<void> {
    try {
      await this.calls.link(aside, path);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    await this.calls.unlink(aside);
  }
}

function regularFile(stats: Stats | undefined): Stats | undefined {
  return stats?.isFile() ? stats : undefined;
}
