import {
  type Digest,
  digestAlgorithm,
  digestBytes,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteWriter,
  NilCache,
  parseDigest,
  type ResumableWriter,
  type Tag,
  type TagStore,
  verifyChunks,
} from "@mote/core";

export interface CacheFaults {
  createMote?: unknown;
  /** Thrown at the write of that number, from 1. */
  write?: { readonly at: number; readonly error: unknown };
  close?: unknown;
  read?: unknown;
}

/** A cache in memory whose faults can be switched on. */
export class MemoryCache implements MoteCache {
  readonly kept = new Map<Digest, { bytes: Uint8Array; mediaType: string }>();
  readonly parts = new Map<Digest, Uint8Array>();
  readonly named = new Map<string, Tag>();
  readonly leased: Digest[] = [];
  leases = 0;
  /** Called when a lease is renewed; false says that it was lost. */
  renewing: () => boolean = () => true;
  openWriters = 0;
  faults: CacheFaults = {};
  readonly #pending = new Map<Digest, Mote[]>();
  readonly #idle = new NilCache();

  readonly tags: TagStore = {
    resolve: async (name) => this.named.get(name)?.descriptor,
    tag: async (name, descriptor) => void this.named.set(name, { name, descriptor }),
    untag: async (name) => void this.named.delete(name),
    list: () => tagsOf(this.named),
  };

  initialize = async (): Promise<void> => {};
  isDirty = (): boolean => false;
  refresh = async (): Promise<boolean> => false;
  update = async (): Promise<void> => {};
  prune = (): ReturnType<NilCache["prune"]> => this.#idle.prune();
  commitMote = (): Promise<void> => Promise.reject(new TypeError("not used"));

  moteRef(digest: Digest): string {
    return `memory:${digest}`;
  }

  async moteExists(digest: Digest): Promise<boolean> {
    return this.kept.has(parseDigest(digest));
  }

  async find(digest: Digest): Promise<MoteInfo | undefined> {
    const kept = this.kept.get(digest);
    return kept && { digest, size: kept.bytes.byteLength, mediaType: kept.mediaType };
  }

  async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    if (this.faults.createMote) throw this.faults.createMote;
    const mote: Mote = { digest, mediaType, ...(size === undefined ? {} : { size }) };
    this.#pending.set(digest, [...(this.#pending.get(digest) ?? []), mote]);
    return mote;
  }

  async moteWriter(digest: Digest): Promise<MoteWriter> {
    const mote = this.#pending.get(digest)?.shift();
    if (mote === undefined) throw new MoteError("MOTE_NOT_FOUND", "not pending");
    return new MemoryWriter(this, mote, new Uint8Array(0));
  }

  async moteReader(digest: Digest): Promise<MoteReader> {
    const kept = this.kept.get(digest);
    if (kept === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not here`);
    const { faults } = this;
    const setAside = () => this.kept.delete(digest);
    const info = { digest, size: kept.bytes.byteLength, mediaType: kept.mediaType };
    async function* chunks(): AsyncGenerator<Uint8Array> {
      if (faults.read) throw faults.read;
      try {
        yield* verifyChunks(slices(kept?.bytes ?? new Uint8Array(0)), { digest }, { damage: true });
      } catch (error) {
        setAside();
        throw error;
      }
    }
    return { info, close: async () => {}, [Symbol.asyncIterator]: chunks, [Symbol.asyncDispose]: async () => {} };
  }

  moteReaderAt(): Promise<MoteReaderAt> {
    return Promise.reject(new TypeError("not used"));
  }

  async removeMote(digest: Digest): Promise<void> {
    this.kept.delete(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** One that also keeps what was interrupted, and holds leases. */
export class ResumingCache extends MemoryCache {
  async resumeMote(mote: Mote): Promise<ResumableWriter> {
    await this.moteWriter(mote.digest);
    this.openWriters -= 1;
    return new MemoryWriter(this, mote, this.parts.get(mote.digest) ?? new Uint8Array(0));
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

class MemoryWriter implements ResumableWriter {
  readonly offset: number;
  readonly #cache: MemoryCache;
  readonly #mote: Mote;
  #bytes: Uint8Array;
  #writes = 0;
  #open = true;

  constructor(cache: MemoryCache, mote: Mote, part: Uint8Array) {
    this.#cache = cache;
    this.#mote = mote;
    this.#bytes = part;
    this.offset = part.byteLength;
    cache.openWriters += 1;
  }

  get bytesWritten(): number {
    return this.#bytes.byteLength;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#writes += 1;
    const { write } = this.#cache.faults;
    if (write !== undefined && this.#writes >= write.at) throw write.error;
    this.#bytes = joined(this.#bytes, chunk);
    if (this.#bytes.byteLength > (this.#mote.size ?? Number.POSITIVE_INFINITY)) throw mismatch("MOTE_SIZE_MISMATCH");
  }

  async close(): Promise<MoteInfo> {
    if (this.#cache.faults.close) throw this.#cache.faults.close;
    const { digest, mediaType, size } = this.#mote;
    this.#end();
    this.#cache.parts.delete(digest);
    if (size !== undefined && this.#bytes.byteLength !== size) throw mismatch("MOTE_SIZE_MISMATCH");
    if (digestBytes(this.#bytes, digestAlgorithm(digest)) !== digest) throw mismatch("MOTE_DIGEST_MISMATCH");
    this.#cache.kept.set(digest, { bytes: this.#bytes, mediaType });
    return { digest, mediaType, size: this.#bytes.byteLength };
  }

  async abort(): Promise<void> {
    this.#cache.parts.delete(this.#mote.digest);
    this.#end();
  }

  async suspend(): Promise<void> {
    this.#cache.parts.set(this.#mote.digest, this.#bytes);
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  #end(): void {
    if (this.#open) this.#cache.openWriters -= 1;
    this.#open = false;
  }
}

async function* tagsOf(named: ReadonlyMap<string, Tag>): AsyncGenerator<Tag> {
  yield* named.values();
}

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.slice(at, at + 1000);
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function mismatch(code: string): MoteError {
  return new MoteError(code, "the bytes are others");
}
