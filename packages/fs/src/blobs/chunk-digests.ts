import { hash, webcrypto } from "node:crypto";
import type { Digest } from "@mote/core";
import { FileChunks } from "../disk/file-chunks.js";
import { readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { writeUnsynced } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { OpenBlob } from "./open-blob.js";

export const chunkBytes = 1024 * 1024;
const digestBytes = 32;
const magic = Buffer.from("mote-chunks-1\n\0\0");
const hashedAtOnce = 3;

/**
 * SHA-256 of each MiB of a blob, in a file beside it, so that a range can be verified alone, and one blob on several cores. It is
 * optional: without it ranges are not verified, and if it and the blob differ, the hash of the complete blob decides.
 */
export class ChunkDigests {
  readonly #ingests: IngestFiles;

  constructor(ingests: IngestFiles) {
    this.#ingests = ingests;
  }

  /** Returns undefined if they do not exist or cannot be read. */
  load(digest: Digest): Uint8Array | undefined {
    try {
      const file = readPlainFile(this.#pathOf(digest));
      const isOurs = file?.subarray(0, magic.byteLength).equals(magic);
      return isOurs ? file?.subarray(magic.byteLength) : undefined;
    } catch {
      return undefined;
    }
  }

  save(digest: Digest, digests: Uint8Array): void {
    writeUnsynced(this.#ingests, this.#pathOf(digest), Buffer.concat([magic, digests]));
  }

  /** Best effort: a remaining file does no harm. */
  remove(digest: Digest): void {
    removeIfPossible(this.#pathOf(digest));
  }

  #pathOf(digest: Digest): string {
    return `${this.#ingests.folder.chunks}/${CacheFolder.nameOf(digest)}`;
  }
}

/** Hashes chunks on the threads of the system-call pool, in parallel with other work on their bytes. */
export class ChunkHasher {
  readonly #digests: Promise<ArrayBuffer>[] = [];
  #gathered = new Uint8Array();
  #length = 0;

  async update(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.byteLength; ) {
      const piece = bytes.subarray(from, from + chunkBytes - this.#length);
      from += piece.byteLength;
      if (piece.byteLength === chunkBytes) {
        this.#push(piece);
      } else {
        if (this.#gathered.byteLength === 0) this.#gathered = new Uint8Array(chunkBytes);
        this.#gathered.set(piece, this.#length);
        this.#length += piece.byteLength;
        if (this.#length === chunkBytes) this.#flush();
      }
      await this.#digests[this.#digests.length - hashedAtOnce];
    }
  }

  async digests(): Promise<Uint8Array> {
    if (this.#length > 0) this.#flush();
    return Buffer.concat((await Promise.all(this.#digests)).map((digest) => new Uint8Array(digest)));
  }

  #flush(): void {
    this.#push(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
  }

  /** The call copies its input before it returns. */
  #push(chunk: Uint8Array): void {
    this.#digests.push(webcrypto.subtle.digest("SHA-256", chunk));
  }
}

/** Returns whether every chunk matches its digest; hashes several at once. */
export async function chunksMatch(
  blob: OpenBlob,
  known: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const chunks = new FileChunks(blob.fd, { start: 0, end: blob.stats.size }, () => chunkBytes, {
    reuse: true,
  });
  const pending: Promise<boolean>[] = [];
  // Every other one on this thread, the rest on the pool's: two cores at work.
  const check = async (index: number, chunk: Uint8Array) =>
    isKnown(
      known,
      index,
      index % 2 === 1
        ? hash("sha256", chunk, "buffer")
        : new Uint8Array(await webcrypto.subtle.digest("SHA-256", chunk)),
    );
  let index = 0;
  try {
    for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
      signal?.throwIfAborted();
      pending.push(check(index++, chunk));
      if (pending.length >= hashedAtOnce && !(await pending.shift())) return false;
    }
    return (
      fits(known, blob.stats.size) &&
      index === countOf(blob.stats.size) &&
      (await Promise.all(pending)).every((matches) => matches)
    );
  } finally {
    await chunks.stop();
    await Promise.allSettled(pending);
  }
}

function countOf(size: number): number {
  return Math.ceil(size / chunkBytes);
}

/** Returns whether the number of chunk digests matches the blob's size. */
export function fits(known: Uint8Array, size: number): boolean {
  return known.byteLength === countOf(size) * digestBytes;
}

/** Returns whether the chunk at this index has the known digest. */
export function isKnown(known: Uint8Array, index: number, digest: Uint8Array): boolean {
  return Buffer.compare(known.subarray(index * digestBytes, (index + 1) * digestBytes), digest) === 0;
}
