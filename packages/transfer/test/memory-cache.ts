import {
  MemoryCache as Cache,
  type Digest,
  joinChunks,
  type Mote,
  type MoteInfo,
  type MoteWriter,
  type ResumableWriter,
} from "@mote/core";

export interface CacheFaults {
  createMote?: unknown;
  /** Thrown at the write with this number, from 1. */
  write?: { readonly at: number; readonly error: unknown };
  close?: unknown;
  read?: unknown;
}

/** A cache in memory with injectable failures. */
export class MemoryCache extends Cache {
  /** The bytes of interrupted writers. */
  readonly suspended = new Map<Digest, Uint8Array>();
  readonly leased: Digest[] = [];
  leases = 0;
  /** Called when a lease is renewed; returns false if it has lapsed. */
  renewing: () => boolean = () => true;
  openWriters = 0;
  failures: CacheFaults = {};

  get digests(): readonly Digest[] {
    return [...this.stored.keys()];
  }

  has(digest: Digest): boolean {
    return this.stored.has(digest);
  }

  bytesOf(digest: Digest): Uint8Array | undefined {
    return this.stored.get(digest)?.bytes;
  }

  /** Stores bytes without verification. */
  plant(digest: Digest, bytes: Uint8Array, mediaType = ""): void {
    this.stored.set(digest, { bytes, mediaType, storedMs: 0, usedMs: 0 });
  }

  drop(digest: Digest): void {
    this.stored.delete(digest);
  }

  async names(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { name } of this.tags.list()) names.push(name);
    return names;
  }

  override async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    if (this.failures.createMote) throw this.failures.createMote;
    return await super.createMote(digest, mediaType, size);
  }

  override async moteWriter(digest: Digest): Promise<MoteWriter> {
    return new FaultyWriter(this, digest, await super.moteWriter(digest));
  }

  protected override async *chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.failures.read) throw this.failures.read;
    for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.slice(at, at + 1000);
  }
}

/** A cache that also resumes interrupted writes and has leases. */
export class ResumingCache extends MemoryCache {
  async resumeMote({ digest }: Mote): Promise<ResumableWriter> {
    const writer = new FaultyWriter(this, digest, await Cache.prototype.moteWriter.call(this, digest));
    await writer.resume(this.suspended.get(digest) ?? new Uint8Array(0));
    return writer;
  }

  async lease(digests: Iterable<Digest>) {
    this.leased.push(...digests);
    this.leases += 1;
    const release = async (): Promise<void> => {
      this.leases -= 1;
    };
    return { add: async () => {}, renew: async () => this.renewing(), release, [Symbol.asyncDispose]: release };
  }
}

class FaultyWriter implements ResumableWriter {
  offset = 0;
  readonly #cache: MemoryCache;
  readonly #digest: Digest;
  readonly #writer: MoteWriter;
  readonly #written: Uint8Array[] = [];
  #writes = 0;
  #isOpen = true;

  constructor(cache: MemoryCache, digest: Digest, writer: MoteWriter) {
    this.#cache = cache;
    this.#digest = digest;
    this.#writer = writer;
    cache.openWriters += 1;
  }

  get bytesWritten(): number {
    return this.#writer.bytesWritten;
  }

  async resume(bytes: Uint8Array): Promise<void> {
    this.offset = bytes.byteLength;
    this.#written.push(bytes);
    await this.#writer.write(bytes);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#writes += 1;
    const { write } = this.#cache.failures;
    if (write !== undefined && this.#writes >= write.at) throw write.error;
    await this.#writer.write(chunk);
    this.#written.push(Uint8Array.from(chunk));
  }

  async close(): Promise<MoteInfo> {
    if (this.#cache.failures.close) throw this.#cache.failures.close;
    this.#end();
    return await this.#writer.close();
  }

  async abort(): Promise<void> {
    this.#end();
    await this.#writer.abort();
  }

  async suspend(): Promise<void> {
    this.#end();
    this.#cache.suspended.set(this.#digest, joinChunks(this.#written));
    await this.#writer.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  #end(): void {
    if (this.#isOpen) this.#cache.openWriters -= 1;
    this.#isOpen = false;
    this.#cache.suspended.delete(this.#digest);
  }
}
