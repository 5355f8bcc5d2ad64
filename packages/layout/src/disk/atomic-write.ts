import { type FileHandle, open, rename, rm } from "node:fs/promises";
import type { Cancellable } from "@mote/core";
import { attempt } from "./file-error.js";

const batchBytes = 1024 * 1024;

export interface AtomicWriteOptions extends Cancellable {
  /** Where the bytes are until they are whole: on the same file system as the file's own name. */
  readonly temporary: string;
  /** Permission bits, whatever the umask; default: 0644 as the umask has it. */
  readonly mode?: number | undefined;
  /** Asked when the bytes are on the disk and before they get their name; false gives them up. */
  readonly mayReplace?: (() => Promise<boolean>) | undefined;
}

/**
 * Writes a file under a temporary name, syncs its data, and gives it its name only then; what throws, `chunks` too, leaves
 * nothing. Answers whether the file has its name now.
 */
export async function writeFileAtomically(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: AtomicWriteOptions,
): Promise<boolean> {
  const { temporary, mode, mayReplace, signal } = options;
  signal?.throwIfAborted();
  const handle = await attempt(open(temporary, "wx", mode === undefined ? 0o644 : 0o600), path);
  try {
    try {
      if (mode !== undefined) await attempt(handle.chmod(mode), path);
      await writeBatches(handle, chunks, path, signal);
      await attempt(handle.datasync(), path);
    } finally {
      await attempt(handle.close(), path);
    }
    signal?.throwIfAborted();
    if (mayReplace !== undefined && !(await mayReplace())) {
      await rm(temporary, { force: true });
      return false;
    }
    await attempt(rename(temporary, path), path);
    return true;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** Chunks from a network are small; one system call for many of them. */
async function writeBatches(
  handle: FileHandle,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    batch.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < batchBytes) continue;
    await writeAll(handle, batch, bytes, path);
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) await writeAll(handle, batch, bytes, path);
}

async function writeAll(handle: FileHandle, batch: Uint8Array[], bytes: number, path: string): Promise<void> {
  const { bytesWritten } = await attempt(handle.writev(batch), path);
  if (bytesWritten === bytes) return;
  // A nearly full disk takes a part; the rest goes in by itself, or says why not.
  let skip = bytesWritten;
  for (const chunk of batch) {
    const rest = chunk.subarray(Math.min(skip, chunk.byteLength));
    skip -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) await attempt(handle.writeFile(rest), path);
  }
}
