import { createDigester, type Digester, digestAlgorithm, type Mote, type ResumableWriter } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { OpenBlob } from "../blobs/open-blob.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { lstatIfThere, removeIfPossible } from "../disk/plain-file.js";
import { smallBytes } from "../disk/small-buffers.js";
import type { IngestPath } from "../processes/ingest-files.js";
import { isSilent } from "../processes/writer-locks.js";
import { BlobWriter, type WriterStart } from "./blob-writer.js";
import type { IngestFile } from "./ingest-file.js";

export interface ResumableStart extends WriterStart {
  readonly owner: WriterOwner;
  readonly onEnd?: () => void;
}

/** Receives a writer's events. */
interface WriterOwner {
  /** Before a blob has its name. */
  naming(mote: Mote): Promise<void> | undefined;
  committed(mote: Mote): Promise<void> | undefined;
  ended(writer: ResumableBlobWriter): void;
}

/** A writer that resumes from the bytes of an earlier one, and can leave its own. Without a file it leaves nothing. */
export class ResumableBlobWriter extends BlobWriter implements ResumableWriter {
  readonly offset: number;
  readonly #store: BlobStore;
  readonly #mote: Mote;
  readonly #start: ResumableStart;

  constructor(store: BlobStore, mote: Mote, start: ResumableStart) {
    super(store, mote, start);
    this.#store = store;
    this.#mote = mote;
    this.#start = start;
    this.offset = start.offset ?? 0;
  }

  async suspend(): Promise<void> {
    const { file } = this.#start;
    if (file === undefined || !isResumed(this.#mote)) await this.abort();
    else await this.keepAs(this.#store.ingests.abandonedPath(file.path));
  }

  protected override naming(): Promise<void> | undefined {
    return this.#start.owner.naming(this.#mote);
  }

  protected override committed(): Promise<void> | undefined {
    return this.#start.owner.committed(this.#mote);
  }

  protected override ended(): void {
    this.#start.onEnd?.();
    this.#start.owner.ended(this);
  }
}

/** Returns whether a file with the blob's first bytes outlives its writer: a small blob is not worth it. */
export function isResumed({ size }: Mote): boolean {
  return size === undefined || size > smallBytes;
}

/**
 * Copies the longest ingest file that a dead, silent or suspended writer left into `file`, and hashes it on the way. A silent writer that
 * continues after all still has its bytes in its open file.
 */
export async function takeOver(
  store: BlobStore,
  file: IngestFile,
  mote: Mote,
  signal: AbortSignal | undefined,
): Promise<{ readonly digester: Digester; readonly offset: number }> {
  const digester = createDigester(digestAlgorithm(mote.digest));
  const left = isResumed(mote) ? longestFile(store, mote) : undefined;
  if (left === undefined) return { digester, offset: 0 };
  const source = await openUnfinished(store, left.path);
  if (source === undefined) return { digester, offset: 0 };
  const chunks = new FileChunks(source.fd, { start: 0, end: source.stats.size }, () => store.budget.chunkBytes, {
    reuse: true,
  });
  let offset = 0;
  try {
    for (let chunk = await nextOf(store, chunks); chunk !== undefined; chunk = await nextOf(store, chunks)) {
      signal?.throwIfAborted();
      const writing = asynchronousCalls.write(file.fd, chunk, offset);
      digester.update(chunk);
      await writing;
      offset += chunk.byteLength;
    }
  } catch (error) {
    throw fileError(error, "write", file.path);
  } finally {
    await chunks.stop();
    await store.calls.close(source.fd);
  }
  // Its bytes are in the new file, which also outlives this process.
  for (const { path } of unfinishedFiles(store, mote)) removeIfPossible(path);
  return { digester, offset };
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

function longestFile(store: BlobStore, mote: Mote): IngestPath | undefined {
  let longest: IngestPath | undefined;
  let length = 0;
  for (const left of unfinishedFiles(store, mote)) {
    const size = lstatIfThere(left.path)?.size ?? 0;
    if (size <= length || size > (mote.size ?? Number.POSITIVE_INFINITY)) continue;
    longest = left;
    length = size;
  }
  return longest;
}

function unfinishedFiles({ ingests }: BlobStore, { digest }: Mote): IngestPath[] {
  return ingests.list().filter((file) => {
    if (file.kind !== "part" || file.digest !== digest) return false;
    const stats = lstatIfThere(file.path);
    return stats !== undefined && (isSilent(stats) || !ingests.isAlive(file));
  });
}
