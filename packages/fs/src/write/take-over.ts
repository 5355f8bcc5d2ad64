import { type ByteRange, createDigester, type Digester, digestAlgorithm, type Mote } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { OpenBlob } from "../blobs/open-blob.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { lstatIfThere, removeIfPossible } from "../disk/plain-file.js";
import type { IngestPath } from "../processes/ingest-files.js";
import { readRanges } from "../processes/range-note.js";
import { isSilent } from "../processes/writer-locks.js";
import type { IngestFile } from "./ingest-file.js";
import type { RangedBlobWriter } from "./ranged-writer.js";
import { isResumed } from "./resumable-writer.js";

/** A file that a dead, silent or suspended writer left, and its written ranges. */
interface UnfinishedWrite {
  readonly path: string;
  readonly ranges: readonly ByteRange[];
}

/**
 * Copies the longest beginning of the blob that a dead, silent or suspended writer left into `file`, and hashes it on the way. A silent writer that
 * continues after all still has its bytes in its open file.
 */
export async function takeOver(
  store: BlobStore,
  file: IngestFile,
  mote: Mote,
  signal: AbortSignal | undefined,
): Promise<{ readonly digester: Digester; readonly offset: number }> {
  const digester = createDigester(digestAlgorithm(mote.digest));
  const beginnings = unfinishedWrites(store, mote).map(({ path, ranges }) => ({
    path,
    ranges: ranges.filter(({ start }) => start === 0),
  }));
  let offset = 0;
  const copied = await copyLargest(store, mote, beginnings, async (chunk) => {
    signal?.throwIfAborted();
    const writing = asynchronousCalls.write(file.fd, chunk, offset);
    digester.update(chunk);
    try {
      await writing;
    } catch (error) {
      throw fileError(error, "write", file.path);
    }
    offset += chunk.byteLength;
  });
  // Its bytes are in the new file, which also outlives this process.
  if (copied) removeUnfinished(store, mote);
  return { digester, offset };
}

/** As `takeOver`, with all written ranges. */
export async function takeOverRanges(
  store: BlobStore,
  writer: RangedBlobWriter,
  mote: Mote,
  signal: AbortSignal | undefined,
): Promise<void> {
  const writes = unfinishedWrites(store, mote);
  const copied = await copyLargest(store, mote, writes, async (chunk, offset) => {
    signal?.throwIfAborted();
    await writer.writeAt(chunk, offset);
  });
  // A writer that was killed before it recorded a range leaves nothing of use.
  const isUseless = writes.length > 0 && writes.every(({ ranges }) => ranges.length === 0);
  if (copied || isUseless) removeUnfinished(store, mote);
  writer.markStored();
}

/** Returns whether ranges of the blob were written. They are of a writer that is still active, or `takeOverRanges` copies them. */
export function hasRanges({ ingests }: BlobStore, { digest }: Mote): boolean {
  return ingests.list().some((file) => file.kind === "ranges" && file.digest === digest);
}

/** Passes on the bytes of the write with most of them. Returns false if there is none that can be opened. */
async function copyLargest(
  store: BlobStore,
  mote: Mote,
  writes: readonly UnfinishedWrite[],
  put: (chunk: Uint8Array, offset: number) => Promise<void>,
): Promise<boolean> {
  const largest = largestOf(writes, mote);
  const source = largest && (await openUnfinished(store, largest.path));
  if (largest === undefined || source === undefined) return false;
  try {
    for (const range of largest.ranges) {
      const { start } = range;
      const end = Math.min(range.end, source.stats.size);
      if (start < end) await copyRange(store, source, { start, end }, put);
    }
  } finally {
    await store.calls.close(source.fd);
  }
  return true;
}

async function copyRange(
  store: BlobStore,
  source: OpenBlob,
  range: ByteRange,
  put: (chunk: Uint8Array, offset: number) => Promise<void>,
): Promise<void> {
  const chunks = new FileChunks(source.fd, range, () => store.budget.chunkBytes, { reuse: true });
  let offset = range.start;
  try {
    for (let chunk = await nextOf(store, chunks); chunk !== undefined; chunk = await nextOf(store, chunks)) {
      await put(chunk, offset);
      offset += chunk.byteLength;
    }
  } finally {
    await chunks.stop();
  }
}

/** Returns undefined also if the rest cannot be read: the download resumes there. */
async function nextOf(store: BlobStore, chunks: FileChunks): Promise<Uint8Array | undefined> {
  try {
    return await chunks.next();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    store.logger.warn("cannot read an unfinished write to its end; resuming where it ends", { error });
    return undefined;
  }
}

/** Returns undefined also if it cannot be read: then the blob is fetched from the start. */
async function openUnfinished(store: BlobStore, path: string): Promise<OpenBlob | undefined> {
  try {
    return await store.openAt(path);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    store.logger.warn("cannot read an unfinished write; starting from the beginning", { path, error });
    return undefined;
  }
}

function largestOf(writes: readonly UnfinishedWrite[], { size = Number.POSITIVE_INFINITY }: Mote) {
  let largest: UnfinishedWrite | undefined;
  let bytes = 0;
  for (const write of writes) {
    const written = write.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    if (written <= bytes || (write.ranges.at(-1)?.end ?? 0) > size) continue;
    largest = write;
    bytes = written;
  }
  return largest;
}

function unfinishedWrites(store: BlobStore, mote: Mote): UnfinishedWrite[] {
  if (!isResumed(mote)) return [];
  return unfinishedFiles(store, mote).map((file) => {
    if (file.kind === "ranges") return { path: file.path, ranges: readRanges(store.ingests, file) };
    const end = lstatIfThere(file.path)?.size ?? 0;
    return { path: file.path, ranges: [{ start: 0, end }] };
  });
}

function removeUnfinished(store: BlobStore, mote: Mote): void {
  for (const file of unfinishedFiles(store, mote)) {
    removeIfPossible(file.path);
    if (file.kind === "ranges") removeIfPossible(store.ingests.notePath(file));
  }
}

function unfinishedFiles({ ingests }: BlobStore, { digest }: Mote): IngestPath[] {
  return ingests.list().filter((file) => {
    if ((file.kind !== "part" && file.kind !== "ranges") || file.digest !== digest) return false;
    const stats = lstatIfThere(file.path);
    return stats !== undefined && (isSilent(stats) || !ingests.isAlive(file));
  });
}
