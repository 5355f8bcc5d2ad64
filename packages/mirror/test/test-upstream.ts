import {
  type BlobOptions,
  BytesReader,
  type Descriptor,
  type Digest,
  digestBytes,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteSource,
  mediaTypes,
  ReadOnceReader,
} from "@mote/core";
import type { UpstreamRegistry } from "../src/index.js";

const encoder = new TextEncoder();

/** An upstream registry in memory that counts requests, and fails as a test says. */
export class TestUpstream implements UpstreamRegistry {
  readonly name: string;
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly tags = new Map<string, Descriptor>();
  /** Each request, as `resolve 1`, `manifest sha256:…`, `blob sha256:… 0`, `find sha256:…`, `range sha256:… 0-9`. */
  readonly requests: string[] = [];
  /** Called before each request is answered. */
  before: (request: string) => Promise<void> | void = () => {};
  /** Whether blobs are read in ranges; then their requests are as `blob sha256:… 0-9`. */
  servesRanges = false;
  /** Makes the chunks of a blob. */
  chunks: (bytes: Uint8Array, start: number) => AsyncIterable<Uint8Array> = inPieces;

  constructor(name = "up.example") {
    this.name = name;
  }

  count(verb: string): number {
    return this.requests.filter((request) => request.startsWith(`${verb} `)).length;
  }

  addBlob(bytes: Uint8Array): Descriptor {
    const digest = digestBytes(bytes);
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.byteLength, mediaType: "application/vnd.oci.image.layer.v1.tar" };
  }

  /** An image with one layer. `isInlined`: its manifest contains the config. */
  addImage(
    tag: string,
    layer: Uint8Array,
    { isInlined = false } = {},
  ): { readonly manifest: Descriptor; readonly layer: Descriptor; readonly config: Descriptor } {
    const configBytes = encoder.encode(`{"tag":"${tag}"}`);
    const data = isInlined ? { data: Buffer.from(configBytes).toString("base64") } : {};
    const config = { ...this.addBlob(configBytes), mediaType: mediaTypes.ociConfig, ...data };
    const added = this.addBlob(layer);
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [added] };
    const manifest = { ...this.addBlob(encoder.encode(JSON.stringify(body))), mediaType: mediaTypes.ociManifest };
    this.tags.set(tag, manifest);
    return { manifest, layer: added, config };
  }

  open() {
    return {
      source: this.#source(),
      blobs: this.#moteSource(),
      tags: async () => ({ tags: [...this.tags.keys()], hasMore: false }),
    };
  }

  #source() {
    return {
      resolve: async (reference: unknown) => {
        await this.#request(`resolve ${reference}`);
        const found =
          this.tags.get(String(reference)) ?? [...this.tags.values()].find(({ digest }) => digest === reference);
        return found ?? this.#missing(String(reference));
      },
      manifest: async ({ digest }: Descriptor) => {
        await this.#request(`manifest ${digest}`);
        return this.blobs.get(digest) ?? this.#missing(digest);
      },
      servesRanges: this.servesRanges,
      blob: async (descriptor: Descriptor, { start = 0, end, ranges }: BlobOptions = {}): Promise<MoteReader> => {
        await this.#request(`blob ${descriptor.digest} ${start}${this.servesRanges ? `-${end}` : ""}`);
        if (ranges !== undefined) ranges.hasResponse = true;
        const bytes = this.blobs.get(descriptor.digest) ?? this.#missing(descriptor.digest);
        return new ChunksReader(descriptor, this.chunks(bytes.subarray(0, end), start));
      },
    };
  }

  #moteSource(): MoteSource {
    const find = async (digest: Digest): Promise<MoteInfo | undefined> => {
      await this.#request(`find ${digest}`);
      const bytes = this.blobs.get(digest);
      return bytes && { digest, size: bytes.byteLength, mediaType: mediaTypes.octetStream };
    };
    return {
      find,
      moteExists: async (digest) => (await find(digest)) !== undefined,
      moteRef: (digest) => `https://${this.name}/${digest}`,
      moteReader: async (digest, { start = 0, end } = {}) => {
        await this.#request(`range ${digest} ${start}-${end}`);
        const bytes = this.blobs.get(digest) ?? this.#missing(digest);
        return new BytesReader({ digest, size: bytes.byteLength, mediaType: "" }, bytes.subarray(start, end));
      },
      moteReaderAt: () => Promise.reject(new Error("not used")),
    };
  }

  async #request(request: string): Promise<void> {
    this.requests.push(request);
    await this.before(request);
  }

  #missing(reference: string): never {
    throw new MoteError("MOTE_NOT_FOUND", `${this.name} does not have ${reference}`);
  }
}

class ChunksReader extends ReadOnceReader {
  readonly #chunks: AsyncIterable<Uint8Array>;

  constructor(info: MoteInfo, chunks: AsyncIterable<Uint8Array>) {
    super(info);
    this.#chunks = chunks;
  }

  protected chunks() {
    return this.#chunks[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, void, undefined>;
  }
}

async function* inPieces(bytes: Uint8Array, start: number): AsyncGenerator<Uint8Array> {
  const piece = 64 * 1024;
  for (let at = start; at < bytes.byteLength; at += piece) yield bytes.slice(at, at + piece);
}

/** Yields the bytes before `end`, then calls `then`, and yields the rest. */
export function pausedAt(end: number, then: () => Promise<void>) {
  return async function* (bytes: Uint8Array, start: number): AsyncGenerator<Uint8Array> {
    if (start < end) yield bytes.slice(start, end);
    await then();
    yield* inPieces(bytes, Math.max(start, end));
  };
}
