import { hash, webcrypto } from "node:crypto";
import fs from "node:fs";
import type { Digest } from "@mote/core";
import { type BlobStore, corruptError, type OpenBlob } from "./blob-store.js";
import { CacheFolder } from "./cache-folder.js";
import { asynchronousCalls } from "./file-calls.js";
import { FileChunks } from "./file-chunks.js";
import { fileFault, isAbsent } from "./file-fault.js";

/** Bytes of a chunk. */
export const chunkBytes = 1024 * 1024;
const digestBytes = 32;
const magic = Buffer.from("mote-chunks-1\n\0\0");
const hashedAtOnce = 3;

/**
 * SHA-256 of each MiB of a blob, in a file beside, written while the blob passes as a whole and proves sound. With it a part can be
 * checked without the rest, and one blob by several cores. It is disposable: without it parts are not checked, and where it and the
 * blob differ, the whole blob's hash decides.
 */
export class ChunkDigests {
  readonly #folder: CacheFolder;
  readonly #write: (path: string, bytes: Uint8Array) => void;

  constructor(folder: CacheFolder, write: (path: string, bytes: Uint8Array) => void) {
    this.#folder = folder;
    this.#write = write;
  }

  load(digest: Digest, size: number): Uint8Array | undefined {
    let file: Buffer;
    try {
      file = fs.readFileSync(this.#pathOf(digest));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw fileFault(error, "read", this.#pathOf(digest));
    }
    const digests = file.subarray(magic.byteLength);
    const isOurs = file.subarray(0, magic.byteLength).equals(magic);
    return isOurs && digests.byteLength === countOf(size) * digestBytes ? digests : undefined;
  }

  save(digest: Digest, digests: Uint8Array): void {
    this.#write(this.#pathOf(digest), Buffer.concat([magic, digests]));
  }

  remove(digest: Digest): void {
    fs.rmSync(this.#pathOf(digest), { force: true });
  }

  #pathOf(digest: Digest): string {
    return `${this.#folder.chunks}/${CacheFolder.nameOf(digest)}`;
  }
}

/** Hashes chunks beside whatever else is done with their bytes, on the threads of the system-call pool. */
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

/** Whether every chunk is what it was; several are hashed at once. */
export async function chunksMatch(
  blob: OpenBlob,
  known: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const chunks = new FileChunks(blob.fd, { start: 0, end: blob.stats.size }, () => chunkBytes);
  const pending: Promise<boolean>[] = [];
  const check = async (index: number, chunk: Uint8Array) =>
    isKnown(known, index, new Uint8Array(await webcrypto.subtle.digest("SHA-256", chunk)));
  let index = 0;
  try {
    for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
      signal?.throwIfAborted();
      pending.push(check(index++, chunk));
      if (pending.length >= hashedAtOnce && !(await pending.shift())) return false;
    }
    return index === countOf(blob.stats.size) && (await Promise.all(pending)).every((matches) => matches);
  } finally {
    await chunks.stop();
    await Promise.allSettled(pending);
  }
}

/** An open blob of which parts are read: each chunk is checked when it is first touched. */
export class CheckedParts {
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #blob: OpenBlob;
  readonly #known: Uint8Array;
  readonly #checked = new Set<number>();

  constructor(store: BlobStore, digest: Digest, blob: OpenBlob, known: Uint8Array) {
    this.#store = store;
    this.#digest = digest;
    this.#blob = blob;
    this.#known = known;
  }

  /** @throws MOTE_CORRUPT */
  async check(start: number, end: number): Promise<void> {
    for (let index = Math.floor(start / chunkBytes); index * chunkBytes < end; index++) {
      if (this.#checked.has(index)) continue;
      if (!(await this.#matches(index))) await this.#decide();
      this.#checked.add(index);
    }
  }

  async #matches(index: number): Promise<boolean> {
    const start = index * chunkBytes;
    const chunk = new Uint8Array(Math.min(chunkBytes, this.#blob.stats.size - start));
    const got = await asynchronousCalls.read(this.#blob.fd, chunk, start);
    if (got < chunk.byteLength) return false;
    return isKnown(this.#known, index, hash("sha256", chunk, "buffer"));
  }

  /** The blob's own digest says which of the two is damaged. */
  async #decide(): Promise<void> {
    const { chunkDigests } = this.#store;
    chunkDigests.remove(this.#digest);
    if (await this.#store.isSound(this.#digest, this.#blob, undefined)) return;
    await this.#store.setAside(this.#digest, this.#blob.stats);
    throw corruptError(this.#digest, this.#store.folder.blobPath(this.#digest));
  }
}

/** What parts of the blob can be checked against, if there is anything. */
export function checkedParts(store: BlobStore, digest: Digest, blob: OpenBlob): CheckedParts | undefined {
  if (blob.stats.size === 0) return undefined;
  const known = store.chunkDigests.load(digest, blob.stats.size);
  return known && new CheckedParts(store, digest, blob, known);
}

function countOf(size: number): number {
  return Math.ceil(size / chunkBytes);
}

function isKnown(known: Uint8Array, index: number, digest: Uint8Array): boolean {
  return Buffer.compare(known.subarray(index * digestBytes, (index + 1) * digestBytes), digest) === 0;
}
