import {
  type Descriptor,
  type Digest,
  digestBytes,
  MoteError,
  type MoteReader,
  type MoteSource,
  mediaTypes,
  type ReadOptions,
  type Tag,
  type TagStore,
  verifyChunks,
} from "@mote/core";

/** Motes in memory, read in chunks; what it was told to damage ends in MOTE_CORRUPT, as a verifying cache ends it. */
export class MemorySource implements MoteSource {
  readonly motes = new Map<Digest, Uint8Array>();
  readonly opened: Digest[] = [];
  openReaders = 0;
  chunkBytes = 4096;
  /** Waited for before each chunk. */
  beforeChunk: () => Promise<void> = async () => {};

  put(bytes: Uint8Array): Digest {
    const digest = digestBytes(bytes);
    this.motes.set(digest, bytes);
    return digest;
  }

  putManifest(manifest: object): Descriptor {
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    const mediaType = "mediaType" in manifest ? String(manifest.mediaType) : mediaTypes.ociManifest;
    return { mediaType, digest: this.put(bytes), size: bytes.byteLength };
  }

  async moteExists(digest: Digest): Promise<boolean> {
    return this.motes.has(digest);
  }

  async find(digest: Digest) {
    const bytes = this.motes.get(digest);
    return bytes === undefined ? undefined : infoOf(digest, bytes);
  }

  moteRef(digest: Digest): string {
    return `memory:${digest}`;
  }

  async moteReader(digest: Digest, { start = 0, end }: ReadOptions = {}): Promise<MoteReader> {
    const bytes = this.#get(digest);
    const isWhole = start === 0 && (end === undefined || end >= bytes.byteLength);
    const part = this.#chunks(bytes.subarray(start, end));
    const chunks = isWhole ? verifyChunks(part, { digest }, { damage: true }) : part;
    let isOpen = true;
    this.openReaders++;
    this.opened.push(digest);
    const close = async () => {
      if (isOpen) this.openReaders--;
      isOpen = false;
    };
    return {
      info: infoOf(digest, bytes),
      [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator](),
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  async moteReaderAt(): Promise<never> {
    throw new MoteError("MOTE_NOT_FOUND", "not needed here");
  }

  #get(digest: Digest): Uint8Array {
    const bytes = this.motes.get(digest);
    if (bytes === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not here`);
    return bytes;
  }

  async *#chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.byteLength; at += this.chunkBytes) {
      await this.beforeChunk();
      yield bytes.slice(at, at + this.chunkBytes);
    }
  }
}

export class MemoryTags implements TagStore {
  readonly #tags = new Map<string, Descriptor>();

  async resolve(name: string) {
    return this.#tags.get(name);
  }

  async tag(name: string, descriptor: Descriptor) {
    this.#tags.set(name, descriptor);
  }

  async untag(name: string) {
    this.#tags.delete(name);
  }

  async *list(): AsyncGenerator<Tag> {
    for (const name of [...this.#tags.keys()].sort()) {
      const descriptor = this.#tags.get(name);
      if (descriptor !== undefined) yield { name, descriptor };
    }
  }
}

/** Lets a repository have the blob: by a manifest that refers to it, and a tag for that. */
export async function putInRepository(
  source: MemorySource,
  tags: TagStore,
  repository: string,
  blob: Digest,
): Promise<Descriptor> {
  const size = source.motes.get(blob)?.byteLength ?? 0;
  const manifest = source.putManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: source.put(new TextEncoder().encode("{}")), size: 2 },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: blob, size }],
  });
  await tags.tag(`${repository}:${blob.slice(7, 19)}`, manifest);
  return manifest;
}

function infoOf(digest: Digest, bytes: Uint8Array) {
  return { digest, size: bytes.byteLength, mediaType: mediaTypes.octetStream };
}
