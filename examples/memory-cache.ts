// A backend of your own: a MoteCache in memory, for a test or a short-lived worker. `test/memory-cache.test.ts` holds it against the
// contract. What is checked on the way in (sizes, digests, use after close) is done by the writers of core's NilCache.
import { readFile, rm } from "node:fs/promises";
import {
  type Cancellable,
  type CommitMode,
  type Digest,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteWriter,
  NilCache,
  type PruneOptions,
  type PruneReport,
  parseDigest,
  type ReadOptions,
  verifyChunks,
} from "@mote/core";

interface Kept {
  readonly info: MoteInfo;
  readonly bytes: Uint8Array;
  readonly usedMs: number;
}

export class MemoryCache implements MoteCache {
  /** In the order of use: who is used is put at the end. */
  readonly #kept = new Map<Digest, Kept>();
  readonly #checks = new NilCache();
  #closed = false;

  async initialize(): Promise<void> {}
  isDirty = (): boolean => false;
  refresh = async (): Promise<boolean> => false;
  async update(): Promise<void> {}

  async moteExists(digest: Digest, { signal }: Cancellable = {}): Promise<boolean> {
    this.#assertOpen(signal);
    return this.#kept.has(parseDigest(digest));
  }

  async find(digest: Digest, { signal }: Cancellable = {}): Promise<MoteInfo | undefined> {
    this.#assertOpen(signal);
    return this.#kept.get(parseDigest(digest))?.info;
  }

  moteRef(digest: Digest): string {
    return `memory:${parseDigest(digest)}`;
  }

  async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    this.#assertOpen();
    assertBytes(size);
    return await this.#checks.createMote(digest, mediaType, size);
  }

  async moteWriter(digest: Digest): Promise<MoteWriter> {
    return new KeepingWriter(await this.#checks.moteWriter(digest), (info, bytes) => this.#keep(info, bytes));
  }

  async moteReader(digest: Digest, { start = 0, end, signal }: ReadOptions = {}): Promise<MoteReader> {
    const { info, bytes } = this.#use(digest, signal);
    assertBytes(start);
    assertBytes(end);
    const part = piecesOf(bytes.subarray(start, end));
    const whole = start === 0 && (end === undefined || end >= info.size);
    return new ChunkReader(info, whole ? verifyChunks(part, info, { damage: true }) : part);
  }

  async moteReaderAt(digest: Digest, { signal }: Cancellable = {}): Promise<MoteReaderAt> {
    return new BytesAt(this.#use(digest, signal).bytes);
  }

  async commitMote(source: string, mote: Mote, mode: CommitMode): Promise<void> {
    parseDigest(mote.digest);
    const bytes = await readFile(source).catch((cause: unknown) => {
      throw new MoteError("MOTE_NOT_FOUND", `${source} cannot be read`, { cause });
    });
    await this.createMote(mote.digest, mote.mediaType, mote.size);
    await using writer = await this.moteWriter(mote.digest);
    await writer.write(bytes);
    await writer.close();
    if (mode === "move") await rm(source);
  }

  async removeMote(digest: Digest): Promise<void> {
    this.#kept.delete(parseDigest(digest));
  }

  async prune(maxSize: number, options: PruneOptions = {}): Promise<PruneReport> {
    this.#assertOpen(options.signal);
    if (!(maxSize >= 0)) throw new TypeError("maxSize is a number of bytes from 0");
    const { dryRun = false, maxAgeMs = Number.POSITIVE_INFINITY, minAgeMs = 0 } = options;
    const removed: MoteInfo[] = [];
    let total = [...this.#kept.values()].reduce((sum, { info }) => sum + info.size, 0);
    for (const { info, usedMs } of [...this.#kept.values()]) {
      const ageMs = Date.now() - usedMs;
      if (ageMs < minAgeMs || (total <= maxSize && ageMs <= maxAgeMs)) continue;
      removed.push(info);
      total -= info.size;
      if (!dryRun) this.#kept.delete(info.digest);
    }
    const removedBytes = removed.reduce((sum, { size }) => sum + size, 0);
    return {
      removed,
      removedBytes,
      freedBytes: removedBytes,
      remainingBytes: total,
      untagged: [],
      skipped: [],
      reached: total <= maxSize,
      dryRun,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#kept.clear();
  }

  #assertOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new MoteError("MOTE_CLOSED", "this cache is closed");
  }

  #keep(info: MoteInfo, bytes: Uint8Array): void {
    if (!this.#kept.has(info.digest)) this.#kept.set(info.digest, { info, bytes, usedMs: Date.now() });
  }

  #use(digest: Digest, signal?: AbortSignal): Kept {
    this.#assertOpen(signal);
    const kept = this.#kept.get(parseDigest(digest));
    if (kept === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in this cache`);
    this.#kept.delete(digest);
    this.#kept.set(digest, { ...kept, usedMs: Date.now() });
    return kept;
  }
}

/** Gathers what a checking writer accepts, and hands it over when that one is satisfied. */
class KeepingWriter implements MoteWriter {
  readonly #checked: MoteWriter;
  readonly #keep: (info: MoteInfo, bytes: Uint8Array) => void;
  #pieces: Uint8Array[] = [];

  constructor(checked: MoteWriter, keep: (info: MoteInfo, bytes: Uint8Array) => void) {
    this.#checked = checked;
    this.#keep = keep;
  }

  get bytesWritten(): number {
    return this.#checked.bytesWritten;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#checked.write(bytes);
    // The caller may use his buffer again.
    this.#pieces.push(Uint8Array.from(bytes));
  }

  async close(): Promise<MoteInfo> {
    const info = await this.#checked.close();
    this.#keep(info, joined(this.#pieces));
    return info;
  }

  async abort(): Promise<void> {
    this.#pieces = [];
    await this.#checked.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }
}

/** Chunks that are read once, and not after `close`. */
class ChunkReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  #used = false;

  constructor(info: MoteInfo, chunks: AsyncGenerator<Uint8Array, void, undefined>) {
    this.info = info;
    this.#chunks = chunks;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#used) throw new MoteError("MOTE_CLOSED", "this reader was read or closed already");
    this.#used = true;
    return this.#chunks;
  }

  async close(): Promise<void> {
    this.#used = true;
    await this.#chunks.return();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

class BytesAt implements MoteReaderAt {
  readonly #bytes: Uint8Array;
  #closed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.byteLength;
  }

  async readAt(into: Uint8Array, position: number): Promise<number> {
    if (this.#closed) throw new MoteError("MOTE_CLOSED", "this reader is closed");
    const part = this.#bytes.subarray(position, position + into.byteLength);
    into.set(part);
    return part.byteLength;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function assertBytes(value: number | undefined): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 0)) throw new TypeError("not a number of bytes");
}

/** Copies, as chunks are the reader's to keep. */
async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.slice(at, at + 65_536);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
