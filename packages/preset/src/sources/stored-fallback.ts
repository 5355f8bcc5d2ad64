import {
  type Cancellable,
  type ContentSource,
  type Descriptor,
  type Digest,
  formatPlatform,
  isManifestType,
  MoteError,
  parseManifest,
  type Ref,
  type ResolveOptions,
  type TimeLimited,
} from "@mote/core";
import { overriding } from "../overriding.js";
import type { Parts } from "../parts.js";
import { locationOf } from "../references/references.js";
import { isRegistryFailure, isRegistryResponse, isSilence } from "./registry-failure.js";
import { StoredImage } from "./stored-image.js";
import { storedReferrers } from "./stored-referrers.js";
import { summarizeReferrers as summarize } from "./summarize-referrers.js";

/** Additional milliseconds for each further manifest. */
const nextManifestMs = 2_000;

export interface StoredFallbackOptions extends Cancellable {
  /** The platform to read. Default: all. */
  readonly platform?: string | undefined;
  /** Called when the cache is used instead of the source. */
  readonly warn: (message: string, code: string) => void;
}

export interface StoredFallback {
  /** @param source the registry, disposed of with the returned source; undefined if offline */
  around(source: ContentSource | undefined): ContentSource;
  /** Returns whether to restart a failed transfer from the cache: the registry failed before anything was moved. Warns if so. */
  turnsToStored(error: unknown): Promise<boolean>;
}

/**
 * Returns the cached image as a fallback for an image of a registry, if the registry fails, with a warning. Content that was never fetched is
 * an error then, and so is a response about the image itself (401, 403, 404).
 */
export function storedFallback(ref: Ref, parts: Parts, options: StoredFallbackOptions): StoredFallback {
  const { platform, warn } = options;
  const { cache, endpoints, references, tags } = parts;
  /** The name of the image in the cache. */
  const name = references.nameInCache(ref);
  /** While there is a fallback, the registry is tried until then. */
  let untilMs = performance.now() + endpoints.fallbackAfterMs;
  /** Manifests that were read and checked before they were requested. */
  const checked = new Map<Digest, Uint8Array>();
  let stored: StoredImage | undefined;
  /** Whether the cached image is complete. */
  let isComplete = false;
  /** Why the cache is used. */
  let failure: MoteError | undefined;
  /** The error after which the transfer restarts with the cached image. */
  let turning: MoteError | undefined;

  const limit = () => (isComplete ? { timeoutMs: Math.max(0, untilMs - performance.now()) } : {});

  /** Extends the limit after a response, so that a responding registry is not cut off. */
  const extendLimit = () => {
    untilMs = Math.max(untilMs, performance.now() + nextManifestMs);
  };

  const useStored = async (error: MoteError) => {
    failure = error;
    warn(`${error.message}; using ${name} as it is ${(await stored?.describe()) ?? "stored"}`, error.code);
  };

  /** @throws MOTE_INVALID_MANIFEST, and as `source` */
  const readChecked = async (source: ContentSource, descriptor: Descriptor, { signal }: Cancellable) => {
    const bytes = await source.manifest(descriptor, { signal, ...limit() });
    // Entries of an index with an unknown media type need not be manifests.
    if (isManifestType(descriptor.mediaType)) assertManifest(name, bytes, descriptor);
    extendLimit();
    checked.set(descriptor.digest, bytes);
    return bytes;
  };

  /** Returns the stored image. An unreadable tag counts as missing: the pull replaces it. */
  const lookUp = async ({ signal }: Cancellable) => {
    try {
      const descriptor = await tags.resolve(name, { signal });
      return descriptor && new StoredImage(cache, descriptor, platform);
    } catch (error) {
      signal?.throwIfAborted();
      if (!MoteError.isInstance(error) || (error.code !== "MOTE_IO" && error.code !== "MOTE_CORRUPT")) throw error;
      warn(error.message, error.code);
      return undefined;
    }
  };

  const resolve = async (
    source: ContentSource | undefined,
    wanted: Ref | string,
    given: ResolveOptions = {},
  ): Promise<Descriptor> => {
    const { signal } = given;
    if (failure !== undefined && stored !== undefined) return stored.descriptor;
    stored = await lookUp(given);
    if (source === undefined) {
      if (stored !== undefined) return stored.descriptor;
      throw new MoteError("MOTE_NOT_FOUND", `${name} is not in the cache; pull it once without --offline`, {
        details: { reference: name },
      });
    }
    isComplete = (await stored?.isComplete({ signal })) ?? false;
    try {
      // A tier probably has it: then a request without a body is enough, which registries that limit pulls do not count.
      const manifestFollows = stored === undefined && cache.fill === undefined;
      const found = await source.resolve(wanted, { ...given, ...limit(), manifestFollows });
      extendLimit();
      // Read a new manifest while the cached image can still replace it.
      if (isComplete && found.digest !== stored?.descriptor.digest) await readChecked(source, found, given);
      return found;
    } catch (error) {
      signal?.throwIfAborted();
      if (isRegistryResponse(error) && isComplete) throw await withAdvice(error, name, stored);
      if (!isRegistryFailure(error) || stored === undefined || !(await stored.hasRoot({ signal }))) throw error;
      await useStored(error);
      return stored.descriptor;
    }
  };

  const manifest = async (source: ContentSource | undefined, descriptor: Descriptor, given: TimeLimited = {}) => {
    const read = checked.get(descriptor.digest);
    if (read !== undefined) return read;
    if (source === undefined || failure !== undefined) throw await notStored(descriptor);
    if (!isComplete) return source.manifest(descriptor, given);
    try {
      return await readChecked(source, descriptor, given);
    } catch (error) {
      given.signal?.throwIfAborted();
      if (isRegistryFailure(error)) turning ??= error;
      throw error;
    }
  };

  /** Returns the error for content that is not cached while the source is unavailable. */
  const notStored = async ({ digest, platform: own }: Descriptor) => {
    const cause = failure;
    const why = cause === undefined ? "--offline contacts no registry" : `the registry failed: ${cause.message}`;
    const code = cause?.code ?? "MOTE_NOT_FOUND";
    const platforms = (await stored?.platforms()) ?? [];
    if (own !== undefined && platforms.length > 0) {
      const advice = platform === undefined ? "; choose one of them with --platform" : "";
      const what = `${formatPlatform(own)} (${digest})`;
      // If all platforms were requested, the failure of the source is the reason.
      return new MoteError(
        platform === undefined ? code : "MOTE_NO_PLATFORM",
        `${name}: ${what} is not in the cache, which has ${platforms.join(", ")}; ${why}${advice}`,
        { cause, details: { digest, ...(platform === undefined ? {} : { wanted: platform }), platforms } },
      );
    }
    const { digests: missing = [digest], shown = digest } = (await stored?.missing()) ?? {};
    const message = `${name} is incomplete in the cache: ${shown} cannot be fetched: ${why}`;
    return new MoteError(code, message, { cause, details: { digest, missing } });
  };

  return {
    async turnsToStored(error) {
      if (turning === undefined || error !== turning || options.signal?.aborted) return false;
      await useStored(turning);
      return true;
    },
    around(source) {
      const isOffline = () => source === undefined || failure !== undefined;
      const known = storedReferrers(source, ref, parts, { isOffline, warn });
      // Without a source, every member that is needed is replaced.
      return overriding((source ?? {}) as ContentSource, {
        ref: source === undefined ? locationOf(ref) : source.ref,
        resolve: (wanted, given) => resolve(source, wanted, given),
        manifest: (descriptor, given) => manifest(source, descriptor, given),
        async blob(descriptor, given) {
          if (source === undefined || (failure !== undefined && isSilence(failure))) throw await notStored(descriptor);
          return source.blob(descriptor, given);
        },
        referrers: source === undefined || source.referrers ? known.referrers : undefined,
        taggedReferrers: source === undefined || source.taggedReferrers ? known.taggedReferrers : undefined,
        async summarizeReferrers(descriptor, given) {
          const summarizing = failure === undefined ? source?.summarizeReferrers?.(descriptor, given) : undefined;
          return summarizing ?? summarize(known, descriptor, given);
        },
      });
    },
  };
}

function assertManifest(name: string, bytes: Uint8Array, { digest, mediaType }: Descriptor): void {
  try {
    parseManifest(bytes, mediaType);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    const message = `cannot read ${name} (${digest}): it is not a valid manifest: ${error.message}`;
    throw new MoteError(error.code, message, { cause: error, details: { ...error.details, digest } });
  }
}

async function withAdvice(error: MoteError, name: string, stored: StoredImage | undefined): Promise<MoteError> {
  const message = `${error.message}; --offline uses ${name} as it is ${await stored?.describe()}`;
  const details = { ...error.details, stored: stored?.descriptor.digest };
  return new MoteError(error.code, message, { cause: error, details });
}
