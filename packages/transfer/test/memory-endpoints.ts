import {
  type BlobOptions,
  type Cancellable,
  type ContentDestination,
  type ContentSource,
  type Descriptor,
  type Digest,
  digestBytes,
  isDigest,
  joinChunks,
  MoteError,
  type MoteReader,
  type Ref,
  type RegistryRef,
  verifyChunks,
} from "@mote/core";

export type Lie = (bytes: Uint8Array) => Uint8Array;

/** A source in memory that counts requests. */
export class MemorySource implements ContentSource {
  ref: RegistryRef | undefined;
  readonly contents = new Map<Digest, Uint8Array>();
  readonly tags = new Map<string, Descriptor>();
  readonly asked: { readonly digest: Digest; readonly start: number }[] = [];
  readonly manifestsAsked: Digest[] = [];
  referrers?: (descriptor: Descriptor) => AsyncIterable<Descriptor>;
  /** Replacements of the bytes of a blob or manifest. */
  readonly replacements = new Map<Digest, Lie>();
  /** Errors that are thrown after some bytes of a blob. */
  readonly breaks = new Map<Digest, { after: number; error: unknown }>();
  chunkBytes = 1000;
  /** Awaited before every chunk. */
  gate: (digest: Digest, at: number) => Promise<void> = async () => {};

  add(bytes: Uint8Array, mediaType: string, more: Partial<Descriptor> = {}): Descriptor {
    const digest = digestBytes(bytes);
    this.contents.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength, ...more };
  }

  addJson(body: object, mediaType: string, more: Partial<Descriptor> = {}): Descriptor {
    return this.add(new TextEncoder().encode(JSON.stringify(body)), mediaType, more);
  }

  async resolve(ref: Ref | string): Promise<Descriptor> {
    const name = typeof ref === "string" ? ref : (ref.digest ?? ref.tag ?? "latest");
    const found = isDigest(name) ? [...this.tags.values()].find(({ digest }) => digest === name) : this.tags.get(name);
    if (found === undefined) throw new MoteError("MOTE_NOT_FOUND", `no ${name}`);
    return found;
  }

  async manifest({ digest }: Descriptor): Promise<Uint8Array> {
    this.manifestsAsked.push(digest);
    return this.#bytes(digest);
  }

  async blob(descriptor: Descriptor, { start = 0, signal }: BlobOptions = {}): Promise<MoteReader> {
    const { digest, mediaType } = descriptor;
    this.asked.push({ digest, start });
    const bytes = this.#bytes(digest);
    const { breaks, gate, chunkBytes } = this;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = start; at < bytes.byteLength; at += chunkBytes) {
        await aborted(gate(digest, at), signal);
        signal?.throwIfAborted();
        const broken = breaks.get(digest);
        if (broken !== undefined && at >= broken.after) throw broken.error;
        yield bytes.slice(at, at + chunkBytes);
      }
    }
    const info = { digest, mediaType, size: bytes.byteLength };
    return { info, close: async () => {}, [Symbol.asyncIterator]: chunks, [Symbol.asyncDispose]: async () => {} };
  }

  timesAsked(digest: Digest): number {
    return this.asked.filter((one) => one.digest === digest).length;
  }

  #bytes(digest: Digest): Uint8Array {
    const bytes = this.contents.get(digest);
    if (bytes === undefined) throw new MoteError("MOTE_NOT_FOUND", `no ${digest}`);
    return this.replacements.get(digest)?.(bytes) ?? bytes;
  }
}

/** A destination in memory with injectable failures. */
export class MemoryDestination implements ContentDestination {
  ref: Ref | undefined;
  readonly contents = new Map<Digest, Uint8Array>();
  readonly tags = new Map<string, Descriptor>();
  readonly order: string[] = [];
  failures: { has?: unknown; blob?: unknown; manifest?: unknown; tag?: unknown } = {};
  /** The number of bytes after which a blob is rejected. */
  failAfter = 0;
  openStreams = 0;

  async has({ digest, size }: Descriptor): Promise<boolean> {
    if (this.failures.has) throw this.failures.has;
    return this.contents.get(digest)?.byteLength === size;
  }

  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, { signal }: Cancellable = {}): Promise<void> {
    this.openStreams += 1;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        parts.push(chunk);
        bytes += chunk.byteLength;
        if (this.failures.blob && bytes >= this.failAfter) throw this.failures.blob;
      }
      if (this.failures.blob && bytes >= this.failAfter) throw this.failures.blob;
      this.contents.set(descriptor.digest, joinChunks(parts));
      this.order.push(descriptor.digest);
    } finally {
      this.openStreams -= 1;
    }
  }

  async manifest(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    if (this.failures.manifest) throw this.failures.manifest;
    this.contents.set(descriptor.digest, bytes);
    this.order.push(descriptor.digest);
  }

  async tag(name: string, descriptor: Descriptor): Promise<void> {
    if (this.failures.tag) throw this.failures.tag;
    this.tags.set(name, descriptor);
    this.order.push(name);
  }

  /** Returns whether all content matches its digest. */
  async isWhole(): Promise<boolean> {
    for (const [digest, bytes] of this.contents) {
      for await (const _ of verifyChunks(once(bytes), { digest })) {
        // verified while it is read
      }
    }
    return true;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function aborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal?.removeEventListener("abort", onAbort));
  });
}
