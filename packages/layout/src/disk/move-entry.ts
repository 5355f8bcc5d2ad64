import { constants } from "node:fs";
import { chmod, copyFile, lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Cancellable, errorCode } from "@mote/core";
import { temporaryPath } from "./temporary-name.js";

/** Moves a file, a link or a folder; across file systems by a copy under a temporary name. @throws system errors */
export async function moveEntry(from: string, to: string, options: Cancellable): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (errorCode(error) !== "EXDEV") throw error;
    const copy = temporaryPath(dirname(to));
    try {
      await copyEntry(from, copy, options);
      await rename(copy, to);
    } catch (failure) {
      await rm(copy, { recursive: true, force: true });
      throw failure;
    }
  }
}

async function copyEntry(from: string, to: string, options: Cancellable): Promise<void> {
  options.signal?.throwIfAborted();
  const stats = await lstat(from);
  if (stats.isSymbolicLink()) return symlink(await readlink(from), to);
  if (stats.isDirectory()) {
    await mkdir(to, { mode: 0o700 });
    for (const name of await readdir(from)) await copyEntry(join(from, name), join(to, name), options);
    return chmod(to, stats.mode & 0o7777);
  }
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const file = await open(to, "r");
  try {
    await file.utimes(stats.atime, stats.mtime);
    await file.datasync();
  } finally {
    await file.close();
  }
}
