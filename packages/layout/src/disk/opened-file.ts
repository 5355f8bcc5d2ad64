import { constants, lstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fileKind, MoteError } from "@mote/core";
import { attemptRead, readFailed } from "./file-error.js";

/** A file, or several read as one. */
export interface ReadHandle {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  stat(): Promise<{ size: number }>;
  close(): Promise<void>;
}

/** An open file: `size` bytes of the handle at `offset`. */
export interface OpenedFile<Handle extends ReadHandle = ReadHandle> {
  readonly handle: Handle;
  readonly offset: number;
  readonly size: number;
}

export async function identityOf(handle: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true });
  return [dev, ino, size, mtimeNs].join(":");
}

/** Opens a regular file without blocking, as on a FIFO. */
export async function openFile(path: string): Promise<OpenedFile<FileHandle>> {
  const handle = await attemptRead(open(path, constants.O_RDONLY | constants.O_NONBLOCK), path);
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
  return attemptRead(open(path, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0)), path);
}

/** Returns whether a regular file of that size exists. Does not follow links. @throws MOTE_IO */
export function isFileOfSize(path: string, size: number): boolean {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true && stats.size === size;
  } catch (error) {
    throw readFailed(error, path);
  }
}
