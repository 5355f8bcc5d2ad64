import fs from "node:fs";
import { dirname } from "node:path";
import { errorCode, isAbsent, type Logger } from "@mote/core";
import { fileError } from "./file-error.js";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const flags = O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

/** Maximum size of one of the cache's own files that is read into memory. The largest is the view of all tags. */
const maxFileBytes = 256 * 1024 * 1024;

/**
 * Reads one of the cache's own small files. Returns undefined if it does not exist or is not a regular file.
 * @throws MOTE_IO, also for a file that is too large to be one of the cache's own
 */
export function readPlainFile(path: string): Buffer | undefined {
  return openPlainFile(path, readWhole);
}

/** @throws EFBIG */
export function readWhole(fd: number, { size }: fs.Stats): Buffer {
  if (size > maxFileBytes) {
    throw Object.assign(new Error(`it has ${size} bytes, and ${maxFileBytes} is the limit`), { code: "EFBIG" });
  }
  return fs.readFileSync(fd);
}

/** As `readPlainFile`, but returns the result of `use` on the open file. */
export function openPlainFile<T>(path: string, use: (fd: number, stats: fs.Stats) => T): T | undefined {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, flags);
    const stats = fs.fstatSync(fd);
    return stats.isFile() ? use(fd, stats) : undefined;
  } catch (error) {
    const isMissing = isAbsent(error) || errorCode(error) === "ELOOP" || errorCode(error) === "ENXIO";
    if (isMissing && fd === undefined) return undefined;
    throw fileError(error, "read", path);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** Returns undefined if the path does not exist. Does not follow symbolic links. */
export function lstatIfThere(path: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw fileError(error, "read", path);
  }
}

/** Rejects symbolic links, which could lead out of the cache. */
export function isRealFolder(path: string): boolean {
  return lstatIfThere(path)?.isDirectory() ?? false;
}

/** As `isRealFolder`, for a folder two levels below one of the cache's own. */
export function isOwnFolder(path: string): boolean {
  return isRealFolder(path) && isRealFolder(dirname(path));
}

export function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw fileError(error, "read", folder);
  }
}

/** As `namesIn`, but lists the folder lazily, as it may be very large. */
export function* entriesOf(folder: string): Generator<string> {
  let entries: fs.Dir | undefined;
  try {
    entries = fs.opendirSync(folder);
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) yield entry.name;
  } catch (error) {
    if (!isAbsent(error)) throw fileError(error, "read", folder);
  } finally {
    entries?.closeSync();
  }
}

/** Removes one of the cache's own files, best effort: what remains is cleaned up later. */
export function removeIfPossible(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // Best effort.
  }
}

/** Removes a file or folder that may not be one of the cache's own. @returns whether that was possible; otherwise it was logged */
export function removeOrWarn(path: string, logger: Logger): boolean {
  try {
    fs.rmSync(path, { force: true, recursive: true });
    return true;
  } catch (error) {
    logger.warn("cannot remove an orphan", { path, error });
    return false;
  }
}

/** Removes an open file, and closes it. If it cannot be removed, it is truncated. */
export function removeOpenFile(
  { path, fd }: { readonly path: string; readonly fd: number },
  onFailure: (error: unknown) => void,
): void {
  try {
    removeIfThere(path);
  } catch (error) {
    onFailure(error);
    try {
      fs.ftruncateSync(fd, 0);
    } catch {}
  } finally {
    fs.closeSync(fd);
  }
}

/** @returns whether it existed */
export function removeIfThere(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw fileError(error, "write", path);
  }
}

/** @returns false if it is not empty */
export function removeFolderIfEmpty(path: string): boolean {
  try {
    fs.rmdirSync(path);
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "")) return false;
    if (!isAbsent(error)) throw fileError(error, "write", path);
  }
  return true;
}
