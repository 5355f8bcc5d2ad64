import { accessSync, constants, linkSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FactStorage, MemoryStorage } from "@mote/bic";
import { type Logger, MoteError, makeFolders } from "@mote/core";
import { type FileState, judgeFile } from "./data-file.js";
import { DeferredStorage } from "./deferred-storage.js";
import { LmdbStorage } from "./lmdb-storage.js";
import { isOnNetworkFileSystem } from "./network-file-system.js";
import { type NativeEnv, SameProcessIdError, takeReaderSlot } from "./reader-slot.js";
import { setAside } from "./set-aside.js";
import { errorCode } from "./storage-error.js";
import { StuckWriterError, WriterMark } from "./writer-mark.js";

/** Readers at once, over all processes. */
const maxReaders = 1024;
/** Bytes: LMDB's lock file has a record of 64 for each reader, and a head. */
const lockFileSize = (maxReaders + 64) * 64;
/** Milliseconds to wait for another process of the same id to let go of the file: at first, and when it is tried again. */
const firstWaitMs = 2_000;
const laterWaitMs = 500;
const retryMs = 20;

/**
 * Opens one file, as often as needed. Damage to the file never fails a call and never ends the process: facts are then stored in
 * memory, and the logger is told.
 */
export class StorageOpener {
  readonly #path: string;
  readonly #logger: Logger;
  /** Facts that were recorded while another process kept this one from the file. */
  #late: DeferredStorage | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  async open(): Promise<FactStorage> {
    const path = this.#path;
    if (isOnNetworkFileSystem(dirname(path))) {
      this.#logger.info("the blob-info cache is on a network file system; new facts are stored in memory only", {
        path,
      });
      return new MemoryStorage();
    }
    try {
      makeFolders(dirname(path), { mkdirSync, statSync, dirname }, { mode: 0o755 });
      await this.#setAsideIfDamaged();
      return await this.#openFile(this.#late === undefined ? firstWaitMs : laterWaitMs);
    } catch (cause) {
      if (isBusy(cause)) return this.#openLate(cause);
      this.#logger.warn("the file of the blob-info cache cannot be used; new facts are stored in memory only", {
        path,
        code: MoteError.isInstance(cause) ? cause.code : errorCode(cause),
        cause,
      });
      return new MemoryStorage();
    }
  }

  async #setAsideIfDamaged(): Promise<void> {
    const path = this.#path;
    const verdict = await judge(path);
    if (verdict.state === "foreign") throw unsupported(path, verdict.reason);
    if (verdict.state !== "damaged") return;
    const aside = await setAside(path, async () => (await judge(path)).state === "damaged");
    this.#logger.warn("the file of the blob-info cache is damaged; it is set aside, and a new one is created", {
      path,
      reason: verdict.reason,
      ...(aside === undefined ? {} : { setAsideAs: aside }),
    });
  }

  async #openFile(waitMs: number): Promise<FactStorage> {
    const readOnly = !isWritable(this.#path);
    if (readOnly) {
      this.#logger.warn("the file of the blob-info cache is read-only; nothing is recorded", { path: this.#path });
    }
    const storage = await openDatabase(this.#path, { readOnly, waitMs });
    try {
      storage.claim();
      if (!readOnly) await this.#late?.moveTo(storage, (message, details) => this.#logger.warn(message, details));
      this.#late = undefined;
      return storage;
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  #openLate(cause: SameProcessIdError | StuckWriterError): DeferredStorage {
    if (this.#late === undefined) {
      this.#logger.warn("the file of the blob-info cache is in use; new facts are stored in memory until it is free", {
        path: this.#path,
        code: cause.code,
        cause,
      });
    }
    this.#late ??= new DeferredStorage(async () => {
      try {
        const storage = await this.#openFile(laterWaitMs);
        await storage.close();
      } catch (error) {
        this.#logger.debug("the file of the blob-info cache is still in use", { path: this.#path, cause: error });
      }
    });
    return this.#late;
  }
}

function isBusy(error: unknown): error is SameProcessIdError | StuckWriterError {
  return error instanceof SameProcessIdError || error instanceof StuckWriterError;
}

async function judge(path: string): Promise<FileState> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { state: "new" };
  if (!stats.isFile()) return { state: "foreign", reason: "it is not a regular file" };
  return judgeFile(path);
}

/** @throws SameProcessIdError · StuckWriterError, after `waitMs` */
async function openDatabase(
  path: string,
  { readOnly, waitMs }: { readonly readOnly: boolean; readonly waitMs: number },
): Promise<LmdbStorage> {
  const lmdb = await import("lmdb");
  if (!readOnly) reserveLockFile(`${path}-lock`);
  const slot = await waitForSlot(() => takeReaderSlot(lmdb, { path, readOnly, maxReaders }), waitMs);
  let mark: WriterMark | undefined;
  try {
    // Opening a file locks LMDB's mutex.
    if (!readOnly) mark = new WriterMark(path, modeBelow(dirname(path), 0o644));
    await mark?.released(slot, waitMs);
    const db = lmdb.open<Buffer, Buffer>({
      path,
      readOnly,
      noSubdir: true,
      keyEncoding: "binary",
      encoding: "binary",
      overlappingSync: false,
      maxReaders,
    });
    try {
      return new LmdbStorage(db, {
        path,
        mark,
        lastReadTransaction: (lmdb as unknown as { readonly getLastTxnId: () => number }).getLastTxnId,
        isDamaged: () => isDamaged(path),
      });
    } catch (error) {
      await db.close();
      throw error;
    }
  } catch (error) {
    mark?.close();
    throw error;
  } finally {
    slot.close();
  }
}

async function waitForSlot(take: () => NativeEnv, waitMs: number): Promise<NativeEnv> {
  const end = performance.now() + waitMs;
  for (;;) {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof SameProcessIdError) || performance.now() > end) throw error;
    }
    await delay(retryMs);
  }
}

/** A second look, by a new opening of the file, which reads all of it and writes to it. */
async function isDamaged(path: string): Promise<boolean> {
  if ((await judge(path)).state === "damaged") return true;
  let storage: LmdbStorage;
  try {
    storage = await openDatabase(path, { readOnly: !isWritable(path), waitMs: laterWaitMs });
  } catch {
    // Busy, or no descriptors left: nothing that is known of the file.
    return false;
  }
  try {
    await storage.check();
    return false;
  } catch (error) {
    return MoteError.isInstance(error) && error.code === "MOTE_CORRUPT";
  } finally {
    await storage.release();
  }
}

function isWritable(path: string): boolean {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  try {
    accessSync(isThere ? path : dirname(path), constants.W_OK);
    return true;
  } catch (error) {
    if (!isThere) throw error;
    return false;
  }
}

/** LMDB maps its lock file before the disk has room for it, and dies on a full disk. With its room reserved it does not. */
function reserveLockFile(lock: string): void {
  if (statSync(lock, { throwIfNoEntry: false }) !== undefined) return;
  const made = join(dirname(lock), `.${basename(lock)}-${process.pid}-${performance.now()}`);
  try {
    writeFileSync(made, new Uint8Array(lockFileSize), { mode: modeBelow(dirname(lock), 0o644) });
    linkSync(made, lock);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(made, { force: true });
  }
}

function unsupported(path: string, reason: string): MoteError {
  return new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `${path} cannot hold the blob-info cache: ${reason}; give another path, or remove it if nobody needs it`,
    { details: { path, reason } },
  );
}

/** A group that may write to the folder may write to the file, and nobody else may, however loose the umask is. */
function modeBelow(folder: string, mode: number): number {
  return statSync(folder).mode & 0o020 ? mode | 0o020 : mode;
}
