import {
  type BlobOptions,
  type Cancellable,
  type ContentSource,
  type Descriptor,
  type Digest,
  isDigest,
  type MoteCache,
  MoteError,
  type MoteReader,
  maxManifestBytes,
  type Ref,
  readMote,
  sniffManifestType,
} from "@mote/core";
import { referrersInCache } from "./referrers-in-cache.js";

/** Reads content of the cache by digest. Inspecting it does not count as a use. */
export class CacheSource implements ContentSource {
  readonly #cache: MoteCache;

  constructor(cache: MoteCache) {
    this.#cache = cache;
  }

  /** @throws MOTE_NOT_FOUND for anything but a stored digest */
  async resolve(ref: Ref | string, { signal }: Cancellable = {}): Promise<Descriptor> {
    const digest = typeof ref === "string" ? ref : ref.digest;
    if (digest === undefined || !isDigest(digest)) throw notCached(String(digest));
    const bytes = await this.#read(digest, { signal });
    return { digest, size: bytes.byteLength, mediaType: sniffManifestType(bytes) };
  }

  manifest({ digest }: Descriptor, options: Cancellable = {}): Promise<Uint8Array> {
    return this.#read(digest, options);
  }

  blob({ digest }: Descriptor, { start, reuse, signal }: BlobOptions = {}): Promise<MoteReader> {
    return this.#cache.moteReader(digest, { start, reuse, signal, countsAsUse: false });
  }

  async *referrers({ digest }: Descriptor, options: Cancellable = {}): AsyncGenerator<Descriptor, void, undefined> {
    yield* (await referrersInCache(this.#cache, options)).get(digest) ?? [];
  }

  #read(digest: Digest, { signal }: Cancellable): Promise<Uint8Array> {
    return readMote(this.#cache, digest, { maxBytes: maxManifestBytes, countsAsUse: false, signal });
  }
}

function notCached(what: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `cannot find ${what}: it is not in the cache`, { details: { text: what } });
}
