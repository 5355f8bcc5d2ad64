import { type ContentDestination, type Digest, isManifestType, type RegistryRef, untilAborted } from "@mote/core";
import { overriding } from "../overriding.js";
import type { SentBlobs } from "./sent-blobs.js";

/**
 * Returns a repository as the destination of one of several images: it waits for blobs that another image sends to the registry, and mounts them.
 * Dispose of it when the image ended. @param hints returns further repositories that may have a blob
 */
export function sharedRepository(
  inner: ContentDestination,
  ref: RegistryRef,
  blobs: SentBlobs,
  hints: (digest: Digest) => readonly string[] = () => [],
) {
  /** The blobs that this image sends. */
  const claims = new Map<Digest, () => void>();
  /** The blobs for which the repository was not asked, because they can be mounted. */
  const unasked = new Set<Digest>();
  const isThere = (digest: Digest) => {
    blobs.record(digest, ref.repository);
    claims.get(digest)?.();
    claims.delete(digest);
  };
  return overriding(inner, {
    ref,
    async has(descriptor, options = {}) {
      if (isManifestType(descriptor.mediaType)) return inner.has(descriptor, options);
      const { digest } = descriptor;
      for (;;) {
        const known = blobs.repositoriesWith(digest);
        if (known.has(ref.repository)) return true;
        if (known.size > 0) {
          unasked.add(digest);
          return false;
        }
        const sending = blobs.sending(digest);
        if (sending === undefined) break;
        await untilAborted(sending, options.signal);
      }
      claims.set(digest, blobs.begin(digest));
      if (!(await inner.has(descriptor, options))) return false;
      isThere(digest);
      return true;
    },
    mountSources({ digest }) {
      const repositories = new Set([...[...blobs.repositoriesWith(digest)].slice(0, 2), ...hints(digest)]);
      return [...repositories].map((repository) => ({ ...ref, repository }));
    },
    async mount(descriptor, candidates, options = {}) {
      const { digest } = descriptor;
      const isMounted = (await inner.mount?.(descriptor, candidates, options)) ?? false;
      const hasIt = isMounted || (unasked.delete(digest) && (await inner.has(descriptor, options)));
      if (hasIt) isThere(digest);
      return hasIt;
    },
    async blob(descriptor, chunks, options) {
      await inner.blob(descriptor, chunks, options);
      isThere(descriptor.digest);
    },
    async [Symbol.asyncDispose]() {
      for (const end of claims.values()) end();
      await inner[Symbol.asyncDispose]?.();
    },
  });
}
