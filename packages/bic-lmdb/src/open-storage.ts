import { accessSync, constants, linkSync, mkdirSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FactStorage, MemoryStorage } from "@mote/bic";
import { hasCode, isOnNetworkFileSystem, type Logger, MoteError, makeFolders } from "@mote/core";
import { checkFile, type FileState } from "./data-file.js";
import { DeferredStorage } from "./deferred-storage.js";
import { LmdbStorage } from "./lmdb-storage.js";
import { SameProcessIdError, takeReaderSlot } from "./reader-slot.js";
import { setAside } from "./set-aside.js";
import { errorCode, unsupported } from "./storage-error.js";
import { StuckWriterError, WriterMark } from "./writer-mark.js";

// Concurrent readers, over all processes.
const maxReaders = 1024;
// In bytes: LMDB's lock file has a header and a record of 64 bytes for each reader.
const lockFileSize = (maxReaders + 64) * 64;
// Milliseconds to wait for another process with the same id to release the file, at first and at later attempts.
const firstWaitMs = 2_000;
const laterWaitMs = 500;
const retryMs = 20;
const invalidArgument = 22;

/**
 * Opens a file as often as needed. If it cannot be used, facts are stored in memory and the logger receives a warning; damage
 * neither fails a call nor ends the process.
 */
export class StorageOpener {
  readonly #path: string;
  readonly #logger: Logger;
  /** Facts that were recorded while another process used the file. */
  #deferred: DeferredStorage | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  async open(): Promise<FactStorage> {
    const path = this.#path;
    if (isOnNetworkFileSystem(dirname(path), { statfsSync, dirname })) {
      this.#logger.info("the blob-info cache is on a network file system; new facts are stored in memory only", {
        path,
      });
      return new MemoryStorage();
    }
    try {
      makeFolders(dirname(path), { mkdirSync, statSync, dirname }, { mode: 0o755 });
      await this.#setAsideIfDamaged();
      return await this.#openFile(this.#deferred === undefined ? firstWaitMs : laterWaitMs);
    } catch (cause) {
      if (isBusy(cause)) return this.#openDeferred(cause);
      this.#logger.warn("cannot use the file of the blob-info cache; new facts are stored in memory only", {
        path,
        code: MoteError.isInstance(cause) ? cause.code : errorCode(cause),
        cause,
      });
      return new MemoryStorage();
    }
  }

  async #setAsideIfDamaged(): Promise<void> {
    const path = this.#path;
    const found = await checkPath(path);
    if (found.state === "foreign") throw unsupported(path, found.reason);
    if (found.state !== "damaged") return;
    const aside = await setAside(path, async () => (await checkPath(path)).state === "damaged");
    this.#logger.warn("the file of the blob-info cache is damaged; it is renamed, and a new one is created", {
      path,
      reason: found.reason,
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
      storage.initialize();
      if (!readOnly) await this.#deferred?.moveTo(storage, (message, details) => this.#logger.warn(message, details));
      this.#deferred = undefined;
      return storage;
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  #openDeferred(cause: SameProcessIdError | StuckWriterError): DeferredStorage {
    if (this.#deferred === undefined) {
      this.#logger.warn("the file of the blob-info cache is in use; new facts are stored in memory until it is free", {
        path: this.#path,
        code: cause.code,
        cause,
      });
    }
    this.#deferred ??= new DeferredStorage(async () => {
      try {
        const storage = await this.#openFile(laterWaitMs);
        await storage.close();
      } catch (error) {
        this.#logger.debug("the file of the blob-info cache is still in use", { path: this.#path, cause: error });
      }
    });
    return this.#deferred;
  }
}

function isBusy(error: unknown): error is SameProcessIdError | StuckWriterError {
  return error instanceof SameProcessIdError || error instanceof StuckWriterError;
}

async function checkPath(path: string): Promise<FileState> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { state: "new" };
  if (!stats.isFile()) return { state: "foreign", reason: "it is not a regular file" };
  return checkFile(path);
}

interface DatabaseOptions {
  readonly readOnly: boolean;
  /** How long to retry while another process prevents the opening, in milliseconds. */
  readonly waitMs: number;
}

/** @throws SameProcessIdError · StuckWriterError, after `waitMs` */
async function openDatabase(path: string, options: DatabaseOptions): Promise<LmdbStorage> {
  const end = performance.now() + options.waitMs;
  for (;;) {
    try {
      return await tryToOpen(path, options);
    } catch (error) {
      if (!isTransient(error) || performance.now() > end) throw error;
    }
    await delay(retryMs);
  }
}

/** The last process that closes the file destroys LMDB's mutexes, even if another one has just opened it, which then gets EINVAL. */
function isTransient(error: unknown): boolean {
  return error instanceof SameProcessIdError || errorCode(error) === invalidArgument;
}

async function tryToOpen(path: string, { readOnly, waitMs }: DatabaseOptions): Promise<LmdbStorage> {
  const lmdb = await import("lmdb");
  if (!readOnly) reserveLockFile(`${path}-lock`);
  const slot = takeReaderSlot(lmdb, { path, readOnly, maxReaders });
  let mark: WriterMark | undefined;
  try {
    // Opening the file locks LMDB's mutex.
    if (!readOnly) mark = new WriterMark(path, fileMode(dirname(path), 0o644));
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

/** Checks the file again: opens it, reads all of it, and writes to it. */
async function isDamaged(path: string): Promise<boolean> {
  if ((await checkPath(path)).state === "damaged") return true;
  let storage: LmdbStorage;
  try {
    storage = await openDatabase(path, { readOnly: !isWritable(path), waitMs: laterWaitMs });
  } catch {
    // The file is in use, or no descriptors are left: nothing is known about the file.
    return false;
  }
  try {
    await storage.check();
    return false;
  } catch (error) {
    return hasCode(error, "MOTE_CORRUPT");
  } finally {
    await storage.release();
  }
}

function isWritable(path: string): boolean {
  const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
  try {
    accessSync(exists ? path : dirname(path), constants.W_OK);
    return true;
  } catch (error) {
    if (!exists) throw error;
    return false;
  }
}

// LMDB maps its lock file before the disk has space for it, and ends the process on a full disk unless the space is reserved.
function reserveLockFile(lock: string): void {
  if (statSync(lock, { throwIfNoEntry: false }) !== undefined) return;
  const temporary = join(dirname(lock), `.${basename(lock)}-${process.pid}-${performance.now()}`);
  try {
    writeFileSync(temporary, new Uint8Array(lockFileSize), { mode: fileMode(dirname(lock), 0o644) });
    linkSync(temporary, lock);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Returns the mode of a file: writable by the group if the folder is, and never by others. */
function fileMode(folder: string, mode: number): number {
  return statSync(folder).mode & 0o020 ? mode | 0o020 : mode;
}
