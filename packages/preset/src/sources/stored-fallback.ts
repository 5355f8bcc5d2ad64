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
import type { Parts } from "../parts.js";
import { locationOf } from "../references/references.js";
import { isRegistryFailure, isRegistryResponse, isSilence } from "./registry-failure.js";
import { RetryBudget } from "./retry-budget.js";
import { StoredImage } from "./stored-image.js";
import { StoredReferrers } from "./stored-referrers.js";
import { summarizeReferrers as summarize } from "./summarize-referrers.js";

export interface StoredFallbackOptions extends Cancellable {
  /** The platform to read. Default: all. */
  readonly platform?: string | undefined;
  /** Called when the cache is used instead of the source. */
  readonly warn: (message: string, code: string) => void;
}

/**
 * An image of a registry, with the cached image as a fallback if the registry fails, and a warning. Content that was never fetched is an
 * error then, and so is a response about the image itself (401, 403, 404).
 */
export class StoredFallback {
  readonly #ref: Ref;
  /** The name of the image in the cache. */
  readonly #name: string;
  readonly #parts: Parts;
  readonly #options: StoredFallbackOptions;
  readonly #budget: RetryBudget;
  /** Manifests that were read and checked before they were requested. */
  readonly #read = new Map<Digest, Uint8Array>();
  #stored: StoredImage | undefined;
  /** Whether the cached image is complete. */
  #isComplete = false;
  /** Why the cache is used. */
  #failure: MoteError | undefined;
  /** The error after which the transfer restarts with the cached image. */
  #turning: MoteError | undefined;

  constructor(ref: Ref, parts: Parts, options: StoredFallbackOptions) {
    this.#ref = ref;
    this.#name = parts.references.nameInCache(ref);
    this.#parts = parts;
    this.#options = options;
    this.#budget = new RetryBudget(parts.endpoints.fallbackAfterMs);
  }

  /** Returns whether to restart a failed transfer from the cache: the registry failed before anything was moved. Warns if so. */
  async turnsToStored(error: unknown): Promise<boolean> {
    const { signal } = this.#options;
    if (this.#turning === undefined || error !== this.#turning || signal?.aborted) return false;
    await this.#useStored(this.#turning);
    return true;
  }

  /** @param source the registry, disposed of with the returned source; undefined if offline */
  around(source: ContentSource | undefined): ContentSource {
    const known = new StoredReferrers(source, this.#ref, this.#parts, {
      isOffline: () => source === undefined || this.#failure !== undefined,
      warn: this.#options.warn,
    });
    return {
      ref: source === undefined ? locationOf(this.#ref) : source.ref,
      servesRanges: source?.servesRanges,
      resolve: (asked, options) => this.#resolve(source, asked, options),
      manifest: (descriptor, options) => this.#manifest(source, descriptor, options),
      blob: async (descriptor, options) => {
        if (source === undefined || (this.#failure !== undefined && isSilence(this.#failure)))
          throw await this.#notStored(descriptor);
        return source.blob(descriptor, options);
      },
      async [Symbol.asyncDispose]() {
        await source?.[Symbol.asyncDispose]?.();
      },
      ...(source === undefined || source.referrers ? { referrers: known.referrers.bind(known) } : {}),
      ...(source === undefined || source.taggedReferrers ? { taggedReferrers: known.taggedReferrers.bind(known) } : {}),
      summarizeReferrers: async (descriptor, options) => {
        const summarizing = this.#failure === undefined ? source?.summarizeReferrers?.(descriptor, options) : undefined;
        return summarizing ?? summarize(known, descriptor, options);
      },
      ...(source?.servedBy ? { servedBy: source.servedBy.bind(source) } : {}),
      ...(source?.reportCorruption ? { reportCorruption: source.reportCorruption.bind(source) } : {}),
    };
  }

  async #resolve(
    source: ContentSource | undefined,
    ref: Ref | string,
    options: ResolveOptions = {},
  ): Promise<Descriptor> {
    const { signal } = options;
    if (this.#failure !== undefined && this.#stored !== undefined) return this.#stored.descriptor;
    this.#stored = await this.#lookUp(options);
    if (source === undefined) return this.#storedOrNotFound();
    this.#isComplete = (await this.#stored?.isComplete({ signal })) ?? false;
    try {
      // A tier probably has it: then a request without a body is enough, which registries that limit pulls do not count.
      const manifestFollows = this.#stored === undefined && this.#parts.cache.fill === undefined;
      const found = await source.resolve(ref, { ...options, ...this.#limit(), manifestFollows });
      this.#budget.extend();
      const isNew = found.digest !== this.#stored?.descriptor.digest;
      // Read a new manifest while the cached image can still replace it.
      if (this.#isComplete && isNew) await this.#readChecked(source, found, options);
      return found;
    } catch (error) {
      signal?.throwIfAborted();
      if (isRegistryResponse(error) && this.#isComplete) throw await this.#withAdvice(error);
      if (!isRegistryFailure(error) || this.#stored === undefined || !(await this.#stored.hasRoot({ signal })))
        throw error;
      await this.#useStored(error);
      return this.#stored.descriptor;
    }
  }

  async #manifest(
    source: ContentSource | undefined,
    descriptor: Descriptor,
    options: TimeLimited = {},
  ): Promise<Uint8Array> {
    const read = this.#read.get(descriptor.digest);
    if (read !== undefined) return read;
    if (source === undefined || this.#failure !== undefined) throw await this.#notStored(descriptor);
    if (!this.#isComplete) return source.manifest(descriptor, options);
    try {
      return await this.#readChecked(source, descriptor, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isRegistryFailure(error)) this.#turning ??= error;
      throw error;
    }
  }

  /** @throws MOTE_INVALID_MANIFEST, and as `source` */
  async #readChecked(source: ContentSource, descriptor: Descriptor, options: Cancellable): Promise<Uint8Array> {
    const bytes = await source.manifest(descriptor, { ...options, ...this.#limit() });
    // Entries of an index with an unknown media type need not be manifests.
    if (isManifestType(descriptor.mediaType)) this.#check(bytes, descriptor);
    this.#budget.extend();
    this.#read.set(descriptor.digest, bytes);
    return bytes;
  }

  #check(bytes: Uint8Array, { digest, mediaType }: Descriptor): void {
    try {
      parseManifest(bytes, mediaType);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      const message = `cannot read ${this.#name} (${digest}): it is not a valid manifest: ${error.message}`;
      throw new MoteError(error.code, message, { cause: error, details: { ...error.details, digest } });
    }
  }

  #limit(): Pick<TimeLimited, "timeoutMs"> {
    return this.#isComplete ? { timeoutMs: this.#budget.leftMs } : {};
  }

  async #useStored(failure: MoteError): Promise<void> {
    this.#failure = failure;
    const state = (await this.#stored?.describe()) ?? "stored";
    this.#options.warn(`${failure.message}; using ${this.#name} as it is ${state}`, failure.code);
  }

  async #withAdvice(error: MoteError): Promise<MoteError> {
    const message = `${error.message}; --offline uses ${this.#name} as it is ${await this.#stored?.describe()}`;
    const details = { ...error.details, stored: this.#stored?.descriptor.digest };
    return new MoteError(error.code, message, { cause: error, details });
  }

  #storedOrNotFound(): Descriptor {
    if (this.#stored !== undefined) return this.#stored.descriptor;
    throw new MoteError("MOTE_NOT_FOUND", `${this.#name} is not in the cache; pull it once without --offline`, {
      details: { reference: this.#name },
    });
  }

  /** Returns the digest of the name. An unreadable tag counts as missing: the pull replaces it. */
  async #lookUp(options: Cancellable): Promise<StoredImage | undefined> {
    const { platform, warn } = this.#options;
    try {
      const descriptor = await this.#parts.tags.resolve(this.#name, options);
      return descriptor && new StoredImage(this.#parts.cache, descriptor, platform);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!MoteError.isInstance(error) || (error.code !== "MOTE_IO" && error.code !== "MOTE_CORRUPT")) throw error;
      warn(error.message, error.code);
      return undefined;
    }
  }

  /** Returns the error for content that is not cached while the source is unavailable. */
  async #notStored(wanted: Descriptor): Promise<MoteError> {
    const { platform } = this.#options;
    const name = this.#name;
    const cause = this.#failure;
    const why = cause === undefined ? "--offline contacts no registry" : `the registry failed: ${cause.message}`;
    const code = cause?.code ?? "MOTE_NOT_FOUND";
    const { digest } = wanted;
    const platforms = (await this.#stored?.platforms()) ?? [];
    if (wanted.platform !== undefined && platforms.length > 0) {
      const here = platforms.join(", ");
      const advice = platform === undefined ? "; choose one of them with --platform" : "";
      const what = `${formatPlatform(wanted.platform)} (${digest})`;
      // If all platforms were requested, the failure of the source is the reason.
      return new MoteError(
        platform === undefined ? code : "MOTE_NO_PLATFORM",
        `${name}: ${what} is not in the cache, which has ${here}; ${why}${advice}`,
        { cause, details: { digest, ...(platform === undefined ? {} : { wanted: platform }), platforms } },
      );
    }
    const { digests = [digest], shown = digest } = (await this.#stored?.missing()) ?? {};
    return new MoteError(code, `${name} is incomplete in the cache: ${shown} cannot be fetched: ${why}`, {
      cause,
      details: { digest, missing: digests },
    });
  }
}
