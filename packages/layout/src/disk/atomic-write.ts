import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { type Cancellable, type Descriptor, verifyChunks } from "@mote/core";
import { attempt } from "./file-error.js";
import { temporaryPath } from "./temporary-name.js";

const batchBytes = 1024 * 1024;

export interface AtomicWriteOptions extends Cancellable {
  /** The path of the incomplete file, on the same file system as `path`. */
  readonly temporary: string;
  /** Permission bits, ignoring the umask; default: 0644 with the umask. */
  readonly mode?: number | undefined;
  /** Called between sync and rename; false discards the file. */
  readonly mayReplace?: (() => Promise<boolean>) | undefined;
}

/** Writes a temporary file, syncs its data and renames it; removes it after any error. Returns whether it was renamed. */
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

/** Writes a blob verified by size and digest, like `writeFileAtomically`, in `dir`. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH */
export async function writeVerified(
  dir: string,
  path: string,
  descriptor: Descriptor,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { signal }: Cancellable,
): Promise<void> {
  await writeFileAtomically(path, verifyChunks(chunks, descriptor), { temporary: temporaryPath(dir), signal });
}

/** Network chunks are small; writes many in one system call. */
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
  // A nearly full disk accepts a part; the next call writes the rest, or reports the error.
  let skip = bytesWritten;
  for (const chunk of batch) {
    const rest = chunk.subarray(Math.min(skip, chunk.byteLength));
    skip -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) await attempt(handle.writeFile(rest), path);
  }
}
