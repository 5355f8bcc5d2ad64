import { BytesReaderAt } from "./bytes-reader.js";
import type { Cancellable } from "./cancellable.js";
import type { MoteCache, StoredMote } from "./capabilities.js";
import { assertByteCount, assertCommitMode, assertPruneBounds } from "./check-arguments.js";
import { type Digest, parseDigest } from "./digest.js";
import { hasCode, MoteError } from "./error.js";
import { takeInventory } from "./inventory.js";
import { joinChunks } from "./join-chunks.js";
import { planPrune } from "./memory-prune.js";
import { MemoryTagStore } from "./memory-tag-store.js";
import type {
  CommitMode,
  Mote,
  MoteInfo,
  MoteReader,
  MoteReaderAt,
  MoteWriter,
  PruneOptions,
  PruneReport,
  ReadOptions,
} from "./mote.js";
import { PendingMotes } from "./pending-motes.js";
import { ReadOnceReader } from "./read-once-reader.js";
import type { TagStore } from "./tag-store.js";
import { verifyChunks } from "./verify-chunks.js";
import { VerifyingWriter } from "./verifying-writer.js";
import { writeMote } from "./write-mote.js";

/** The functions of `node:fs/promises` that `commitMote` uses. */
export interface CommittedFiles {
  readFile(path: string): Promise<Uint8Array>;
  rm(path: string): Promise<void>;
}

const chunkBytes = 65_536;

interface StoredBytes {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly storedMs: number;
  readonly usedMs: number;
}

/** A cache in memory, for tests and short-lived processes. Its size is not limited; call `prune`. */
export class MemoryCache implements MoteCache {
  readonly tags: TagStore = new MemoryTagStore();
  /** Least recently used first. */
  protected readonly stored = new Map<Digest, StoredBytes>();
  readonly #pending = new PendingMotes();
  readonly #files: CommittedFiles | undefined;
  #isClosed = false;

  /** @param options.files access to files for `commitMote`; default: none */
  constructor(options: { readonly files?: CommittedFiles | undefined } = {}) {
    this.#files = options.files;
  }

  async initialize(): Promise<void> {}

  isDirty(): boolean {
    return false;
  }

  async refresh(): Promise<boolean> {
    return false;
  }

  async update(): Promise<void> {}

  async moteExists(digest: Digest, options: Cancellable = {}): Promise<boolean> {
    return this.#lookUp(digest, options) !== undefined;
  }

  async find(digest: Digest, options: Cancellable = {}): Promise<MoteInfo | undefined> {
    const stored = this.#lookUp(digest, options);
    return stored && infoOf(digest, stored);
  }

  moteRef(digest: Digest): string {
    return `memory:${parseDigest(digest)}`;
  }

  async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    this.#assertOpen();
    return this.#pending.create(digest, mediaType, size);
  }

  async moteWriter(digest: Digest): Promise<MoteWriter> {
    this.#assertOpen();
    const mote = this.#pending.take(digest);
    const chunks: Uint8Array[] = [];
    return new VerifyingWriter(mote, {
      // The caller may reuse its memory.
      write: (bytes) => void chunks.push(Uint8Array.from(bytes)),
      commit: ({ mediaType }) => {
        const nowMs = Date.now();
        if (this.stored.has(digest)) return;
        this.stored.set(digest, { mediaType, bytes: joinChunks(chunks), storedMs: nowMs, usedMs: nowMs });
      },
    });
  }

  async moteReader(digest: Digest, options: ReadOptions = {}): Promise<MoteReader> {
    const { start = 0, end, countsAsUse = true, verifyOnRead = true } = options;
    assertByteCount(start);
    assertByteCount(end);
    const stored = this.#get(digest, options, countsAsUse);
    const info = infoOf(digest, stored);
    const range = this.chunksOf(stored.bytes.subarray(start, end), options.signal);
    const isComplete = start === 0 && (end === undefined || end >= info.size);
    if (!isComplete || !verifyOnRead) return new MemoryReader(info, range);
    return new MemoryReader(info, this.#verified(info, range));
  }

  async moteReaderAt(digest: Digest, options: Cancellable = {}): Promise<MoteReaderAt> {
    return new BytesReaderAt(digest, this.#get(digest, options, true).bytes);
  }

  async commitMote(source: string, mote: Mote, mode: CommitMode, options: Cancellable = {}): Promise<void> {
    assertCommitMode(mode);
    parseDigest(mote.digest);
    this.#assertOpen(options);
    if (this.#files === undefined)
      throw new MoteError(
        "MOTE_NOT_FOUND",
        `cannot read ${source}: this cache has no access to files; pass the option "files"`,
      );
    const bytes = await this.#files.readFile(source).catch((cause: unknown) => {
      throw new MoteError("MOTE_NOT_FOUND", `cannot read ${source}`, { cause });
    });
    await writeMote(this, mote, bytes);
    if (mode === "move") await this.#files.rm(source);
  }

  async removeMote(digest: Digest): Promise<void> {
    this.stored.delete(parseDigest(digest));
  }

  async *motes(options: Cancellable = {}): AsyncGenerator<StoredMote, void, undefined> {
    this.#assertOpen(options);
    for (const [digest, stored] of [...this.stored]) {
      const { storedMs, usedMs } = stored;
      yield { ...infoOf(digest, stored), storedMs, usedMs };
    }
  }

  async prune(maxSize: number, options: PruneOptions = {}): Promise<PruneReport> {
    this.#assertOpen(options);
    assertPruneBounds(maxSize, options);
    const report = planPrune(await takeInventory(this, options), maxSize, options);
    if (report.dryRun) return report;
    for (const name of report.untagged) await this.tags.untag(name);
    for (const { digest } of report.removed) this.stored.delete(digest);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.stored.clear();
  }

  /** Yields copies, because readers may keep the chunks. */
  protected async *chunksOf(bytes: Uint8Array, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    for (let position = 0; position < bytes.byteLength; position += chunkBytes) {
      signal?.throwIfAborted();
      yield bytes.slice(position, position + chunkBytes);
    }
  }

  async *#verified(info: MoteInfo, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* verifyChunks(chunks, info, { damage: true });
    } catch (error) {
      if (hasCode(error, "MOTE_CORRUPT")) this.stored.delete(info.digest);
      throw error;
    }
  }

  #assertOpen({ signal }: Cancellable = {}): void {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new MoteError("MOTE_CLOSED", "the cache is closed");
  }

  #lookUp(digest: Digest, options: Cancellable): StoredBytes | undefined {
    this.#assertOpen(options);
    return this.stored.get(parseDigest(digest));
  }

  #get(digest: Digest, options: Cancellable, countsAsUse: boolean): StoredBytes {
    const stored = this.#lookUp(digest, options);
    if (stored === undefined)
      throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache`, { details: { digest } });
    if (countsAsUse) {
      this.stored.delete(digest);
      this.stored.set(digest, { ...stored, usedMs: Date.now() });
    }
    return stored;
  }
}

class MemoryReader extends ReadOnceReader {
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;

  constructor(info: MoteInfo, chunks: AsyncGenerator<Uint8Array, void, undefined>) {
    super(info);
    this.#chunks = chunks;
  }

  protected chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#chunks;
  }

  protected override async release(): Promise<void> {
    await this.#chunks.return();
  }
}

function infoOf(digest: Digest, { bytes, mediaType }: StoredBytes): MoteInfo {
  return { digest, size: bytes.byteLength, mediaType };
}
