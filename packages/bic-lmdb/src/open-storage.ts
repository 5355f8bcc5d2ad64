import { accessSync, constants, existsSync, linkSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type FactStorage, type Logger, MemoryStorage, MoteError } from "@mote/core";
import { type FileVerdict, judgeFile } from "./data-file.js";
import { LmdbStorage } from "./lmdb-storage.js";
import { setAside } from "./set-aside.js";
import { errorCode } from "./storage-error.js";

/** Readers at once, over all processes. */
const maxReaders = 1024;
/** Bytes: LMDB's lock file has a record of 64 for each reader, and a head. */
const lockFileSize = (maxReaders + 64) * 64;

/**
 * Opens the file at `path`, or begins it. A damaged file is set aside; one that is not ours to touch, or cannot be used, leaves
 * the facts in memory. Never fails, never ends the process; the logger hears of it.
 */
export async function openStorage(path: string, logger: Logger): Promise<FactStorage> {
  try {
    makeFolders(dirname(path));
    const verdict = await judge(path);
    if (verdict.state === "foreign") throw unsupported(path, verdict.reason);
    if (verdict.state === "damaged") {
      const aside = await setAside(path, async () => (await judge(path)).state === "damaged");
      logger.warn("the file of the blob-info cache is damaged; it is set aside, and a new one begun", {
        path,
        reason: verdict.reason,
        ...(aside === undefined ? {} : { setAsideAs: aside }),
      });
    }
    return await openFile(path, logger);
  } catch (cause) {
    logger.warn("the file of the blob-info cache cannot be used; what is learned is kept in memory only", {
      path,
      code: MoteError.isInstance(cause) ? cause.code : errorCode(cause),
      cause,
    });
    return new MemoryStorage();
  }
}

async function judge(path: string): Promise<FileVerdict> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { state: "new" };
  if (!stats.isFile()) return { state: "foreign", reason: "it is no file" };
  return judgeFile(path);
}

async function openFile(path: string, logger: Logger): Promise<FactStorage> {
  const { open } = await import("lmdb");
  const readOnly = !isWritable(path);
  if (readOnly) logger.warn("the file of the blob-info cache is read-only; nothing is recorded", { path });
  else reserveLockFile(`${path}-lock`);
  const db = open<Buffer, Buffer>({
    path,
    readOnly,
    noSubdir: true,
    keyEncoding: "binary",
    encoding: "binary",
    overlappingSync: false,
    maxReaders,
  });
  const storage = new LmdbStorage(db, { path, readOnly });
  try {
    storage.claim();
    return storage;
  } catch (error) {
    await storage.close();
    throw error;
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
    writeFileSync(made, new Uint8Array(lockFileSize));
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

/** `mkdir -p`, without Node's own: that never returns where a folder is there in which nothing can be made, such as /proc. */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolders(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}
