import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { errorCode, fileKind, MoteError } from "@mote/core";
import { readFailed } from "./file-error.js";

/** An open file: `size` bytes of the handle at `offset`. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly offset: number;
  readonly size: number;
}

export async function identityOf(handle: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true });
  return [dev, ino, size, mtimeNs].join(":");
}

/** Opens a regular file without blocking, as on a FIFO. */
export async function openFile(path: string): Promise<OpenedFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw readFailed(error, path);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      const message = `cannot read ${path}: it is ${fileKind(stats)}, not a regular file`;
      throw new MoteError("MOTE_IO", message, { details: { path } });
    }
    return { handle, offset: 0, size: stats.size };
  } catch (error) {
    await handle.close();
    throw MoteError.isInstance(error) ? error : readFailed(error, path);
  }
}

/** Opens the entry itself, without following a link or blocking. @throws as `openFile` */
export async function openEntry(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  return open(path, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0)).catch((error: unknown) => {
    throw readFailed(error, path);
  });
}

/** Returns whether a regular file of that size exists. Does not follow links. @throws MOTE_IO */
export async function isFileOfSize(path: string, size: number): Promise<boolean> {
  try {
    const stats = await lstat(path);
    return stats.isFile() && stats.size === size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw readFailed(error, path);
  }
}
