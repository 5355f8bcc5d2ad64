import {
  type Cancellable,
  type ContentSource,
  type Digest,
  isDigest,
  type MoteCache,
  MoteError,
  maxManifestBytes,
  readMote,
  sniffManifestType,
} from "@mote/core";
import { referrersInCache } from "./referrers-in-cache.js";

/** Returns a source of the content of the cache by digest. It resolves only stored digests. Inspecting content does not count as a use. */
export function cacheSource(cache: MoteCache): ContentSource {
  const read = (digest: Digest, { signal }: Cancellable = {}) =>
    readMote(cache, digest, { maxBytes: maxManifestBytes, countsAsUse: false, signal });
  return {
    async resolve(ref, options) {
      const digest = typeof ref === "string" ? ref : ref.digest;
      if (digest === undefined || !isDigest(digest)) throw notCached(String(digest));
      const bytes = await read(digest, options);
      return { digest, size: bytes.byteLength, mediaType: sniffManifestType(bytes) };
    },
    manifest: ({ digest }, options) => read(digest, options),
    blob: ({ digest }, { start, reuse, signal } = {}) =>
      cache.moteReader(digest, { start, reuse, signal, countsAsUse: false }),
    async *referrers({ digest }, options = {}) {
      yield* (await referrersInCache(cache, options)).get(digest) ?? [];
    },
  };
}

function notCached(what: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `cannot find ${what}: it is not in the cache`, { details: { text: what } });
}
