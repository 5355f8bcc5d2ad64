import {
  type Descriptor,
  type Digest,
  digestBytes,
  MemoryCache,
  type MoteReader,
  mediaTypes,
  type ReadOptions,
  type TagStore,
} from "@mote/core";

/** A source in memory that counts reads. */
export class MemorySource extends MemoryCache {
  readonly opened: Digest[] = [];
  openReaders = 0;
  chunkBytes = 4096;
  /** Whether all chunks of a reader have the same memory. */
  reusesMemory = false;
  /** Awaited before each chunk. */
  beforeChunk: () => Promise<void> = async () => {};

  put(bytes: Uint8Array): Digest {
    const digest = digestBytes(bytes);
    this.plant(digest, bytes);
    return digest;
  }

  /** Stores bytes without verification. */
  plant(digest: Digest, bytes: Uint8Array): void {
    this.stored.set(digest, { bytes, mediaType: mediaTypes.octetStream, storedMs: 0, usedMs: 0 });
  }

  drop(digest: Digest): void {
    this.stored.delete(digest);
  }

  bytesOf(digest: Digest): Uint8Array | undefined {
    return this.stored.get(digest)?.bytes;
  }

  get digests(): readonly Digest[] {
    return [...this.stored.keys()];
  }

  putManifest(manifest: object): Descriptor {
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    const mediaType = "mediaType" in manifest ? String(manifest.mediaType) : mediaTypes.ociManifest;
    return { mediaType, digest: this.put(bytes), size: bytes.byteLength };
  }

  override async moteReader(digest: Digest, options?: ReadOptions): Promise<MoteReader> {
    const reader = await super.moteReader(digest, options);
    let isOpen = true;
    this.openReaders++;
    this.opened.push(digest);
    const close = async () => {
      if (isOpen) this.openReaders--;
      isOpen = false;
      await reader.close();
    };
    return {
      info: reader.info,
      [Symbol.asyncIterator]: () => reader[Symbol.asyncIterator](),
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  protected override async *chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    const memory = Buffer.alloc(this.chunkBytes);
    for (let at = 0; at < bytes.byteLength; at += this.chunkBytes) {
      await this.beforeChunk();
      const chunk = bytes.slice(at, at + this.chunkBytes);
      if (this.reusesMemory) memory.set(chunk);
      yield this.reusesMemory ? memory.subarray(0, chunk.byteLength) : chunk;
    }
  }
}

/** Adds a blob to a repository with a tagged manifest that refers to it. */
export async function putInRepository(
  source: MemorySource,
  tags: TagStore,
  repository: string,
  blob: Digest,
): Promise<Descriptor> {
  const size = source.bytesOf(blob)?.byteLength ?? 0;
  const manifest = source.putManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: source.put(new TextEncoder().encode("{}")), size: 2 },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: blob, size }],
  });
  await tags.tag(`${repository}:${blob.slice(7, 19)}`, manifest);
  return manifest;
}
