import fs from "node:fs";
import { errorCode, isAbsent } from "@mote/core";
import { fileError } from "./file-error.js";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const flags = O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

/** Bytes of a file of the cache's own that is read into memory. The largest is the view of all tags. */
const maxFileBytes = 256 * 1024 * 1024;

/**
 * Reads a small file of the cache's own. Undefined if there is none, or something else has its name, such as a symbolic link or a pipe.
 * @throws what the system calls throw, and EFBIG for a file that is too large to be one of the cache's own
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

/** As `readPlainFile`, with what `use` makes of the open file. */
export function openPlainFile<T>(path: string, use: (fd: number, stats: fs.Stats) => T): T | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, flags);
  } catch (error) {
    if (isAbsent(error) || errorCode(error) === "ELOOP" || errorCode(error) === "ENXIO") return undefined;
    throw error;
  }
  try {
    const stats = fs.fstatSync(fd);
    return stats.isFile() ? use(fd, stats) : undefined;
  } finally {
    fs.closeSync(fd);
  }
}

/** What is under a name, a symbolic link itself included; undefined where nothing is. */
export function lstatIfThere(path: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw fileError(error, "read", path);
  }
}

/** A symbolic link of that name could lead out of the cache. */
export function isRealFolder(path: string): boolean {
  return lstatIfThere(path)?.isDirectory() ?? false;
}

export function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw fileError(error, "read", folder);
  }
}

/** Takes a file of one's own away where that can be done: what stays is swept later. */
export function removeIfPossible(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // Not there, or not now.
  }
}

/** Removes an open file, and closes it. One that cannot be removed is emptied. */
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

/** @returns whether it was there */
export function removeIfThere(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw fileError(error, "write", path);
  }
}

/** @returns false where something is in it */
export function removeFolderIfEmpty(path: string): boolean {
  try {
    fs.rmdirSync(path);
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "")) return false;
    if (!isAbsent(error)) throw fileError(error, "write", path);
  }
  return true;
}
