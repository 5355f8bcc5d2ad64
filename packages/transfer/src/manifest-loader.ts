import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  isManifestType,
  isNotFound,
  MoteError,
  maxManifestBytes,
  parseDigest,
  parseJsonDocument,
  parseManifest,
  type Ref,
  readMote,
  untilAborted,
} from "@mote/core";
import { inlinedBytes } from "./inlined-data.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import { namedError } from "./named-error.js";
import { digestOf } from "./root.js";

/** Bytes of all manifests of one transfer, which are kept until it ends. */
const maxTotalBytes = 64 * 1024 * 1024;

/** An opaque manifest has the reason for it. */
interface ReadManifest extends LoadedManifest {
  readonly reason?: unknown;
}

/** Reads manifests, from the cache where they are there and whole, and believes nothing in them before size and digest agree. */
export class ManifestLoader {
  readonly #job: Job;
  readonly #loaded = new Map<Digest, Promise<ReadManifest>>();
  #totalBytes = 0;

  constructor(job: Job) {
    this.#job = job;
  }

  /** @throws MOTE_TOO_LARGE · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_INVALID_MANIFEST · what the source throws */
  async load(descriptor: Descriptor): Promise<LoadedManifest> {
    const read = await this.#once(descriptor);
    if (read.isOpaque) throw read.reason;
    return read;
  }

  /**
   * Reads an entry of an index, which may be of a media type that is not known. Undefined for one that is not a manifest.
   * @throws as `load`
   */
  async loadEntry(descriptor: Descriptor): Promise<LoadedManifest | undefined> {
    if (isManifestType(descriptor.mediaType)) return this.load(descriptor);
    const read = await this.#once(descriptor);
    return read.isOpaque && !isJsonObject(read.bytes) ? undefined : read;
  }

  #once(descriptor: Descriptor): Promise<ReadManifest> {
    const digest = parseDigest(descriptor.digest);
    const loading = this.#loaded.get(digest) ?? this.#read(descriptor);
    this.#loaded.set(digest, loading);
    return loading;
  }

  /**
   * Loads a manifest that a place lists as a referrer. Its size in such a list is a claim: Harbor's before 2.11 adds that of the layers, and
   * Google's was seen to be another. If it is wrong, the source is asked for the right one.
   * @throws as `load`
   */
  loadListed(descriptor: Descriptor): Promise<LoadedManifest> {
    return this.#loadOrAsk(descriptor, descriptor.digest, isAboutSize);
  }

  /**
   * Loads what a name stands for. A registry's HEAD response may have a wrong digest or length; if it leads nowhere, the source is asked
   * for the manifest itself.
   * @throws as `load`
   */
  loadNamed(ref: Ref | string, descriptor: Descriptor): Promise<LoadedManifest> {
    return this.#loadOrAsk(descriptor, ref, (error) => isAboutSize(error) || isAboutDigest(error));
  }

  async #loadOrAsk(
    descriptor: Descriptor,
    ref: Ref | string,
    isAboutDescriptor: (error: unknown) => boolean,
  ): Promise<LoadedManifest> {
    try {
      return await this.load(descriptor);
    } catch (error) {
      if (!isAboutDescriptor(error)) throw error;
      const actual = await this.#ask(ref, error);
      const isOther = actual.digest !== descriptor.digest || actual.size !== descriptor.size;
      const isAsked = actual.digest === (digestOf(ref) ?? actual.digest);
      if (!isOther || !isAsked) throw error;
      this.#loaded.delete(descriptor.digest);
      return this.load({ ...descriptor, digest: actual.digest, size: actual.size });
    }
  }

  /** @throws the first error, if the source fails again */
  async #ask(ref: Ref | string, error: unknown): Promise<Descriptor> {
    const options = this.#job.callOptions();
    const { signal } = options;
    try {
      return await untilAborted(this.#job.source.resolve(ref, { ...options, manifestFollows: true }), signal);
    } catch {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** The bytes of a manifest that is in the cache, whole. */
  async fromCache(digest: Digest): Promise<Uint8Array | undefined> {
    const { cache, signal } = this.#job;
    try {
      return await readMote(cache, digest, { maxBytes: maxManifestBytes, signal: this.#job.ownSignal() });
    } catch (error) {
      signal.throwIfAborted();
      if (!isNotFound(error)) this.#job.warn(`the cache cannot give ${digest}, so it is fetched`, error, digest);
      return undefined;
    }
  }

  async #read(descriptor: Descriptor): Promise<ReadManifest> {
    const { digest, size } = descriptor;
    if (size > maxManifestBytes || this.#totalBytes + size > maxTotalBytes) {
      throw new MoteError(
        "MOTE_TOO_LARGE",
        `the manifest ${digest} has ${size} bytes; the bounds are ${maxManifestBytes} for one and ${maxTotalBytes} for all`,
        { details: { digest, size } },
      );
    }
    this.#totalBytes += size;
    try {
      return await this.#readBytes(descriptor);
    } catch (error) {
      this.#totalBytes -= size;
      throw error;
    }
  }

  async #readBytes(descriptor: Descriptor): Promise<ReadManifest> {
    const { digest } = descriptor;
    const inlined = inlinedBytes(descriptor);
    const cached = inlined ?? (await this.fromCache(digest));
    const options = this.#job.callOptions();
    const bytes = cached ?? (await untilAborted(this.#job.source.manifest(descriptor, options), options.signal));
    const from = inlined ? "data" : cached ? "cache" : "source";
    try {
      assertIs(descriptor, bytes);
      return { ...parsed(descriptor, bytes), bytes, from };
    } catch (error) {
      throw namedError(error, descriptor, this.#job.source.ref);
    }
  }
}

function isAboutSize(error: unknown): boolean {
  return MoteError.isInstance(error) && (error.code === "MOTE_SIZE_MISMATCH" || error.code === "MOTE_TOO_LARGE");
}

function isAboutDigest(error: unknown): boolean {
  return isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_DIGEST_MISMATCH");
}

function parsed(
  descriptor: Descriptor,
  bytes: Uint8Array,
): Pick<ReadManifest, "descriptor" | "manifest" | "isOpaque" | "reason"> {
  const { mediaType } = descriptor;
  try {
    const manifest = parseManifest(bytes, mediaType);
    return { descriptor: { ...descriptor, mediaType: manifest.mediaType }, manifest };
  } catch (reason) {
    if (isManifestType(mediaType)) throw reason;
    return { descriptor, manifest: { kind: "manifest", mediaType, layers: [] }, isOpaque: true, reason };
  }
}

function isJsonObject(bytes: Uint8Array): boolean {
  try {
    const body = parseJsonDocument(bytes);
    return typeof body === "object" && body !== null && !Array.isArray(body);
  } catch {
    return false;
  }
}

function assertIs({ digest, size }: Descriptor, bytes: Uint8Array): void {
  if (bytes.byteLength !== size) {
    throw new MoteError("MOTE_SIZE_MISMATCH", `the manifest ${digest} has ${bytes.byteLength} bytes, not ${size}`, {
      details: { digest, expected: size, actual: bytes.byteLength },
    });
  }
  const actual = digestBytes(bytes, digestAlgorithm(digest));
  if (actual !== digest) {
    throw new MoteError("MOTE_DIGEST_MISMATCH", `expected the manifest ${digest}, and its bytes hash to ${actual}`, {
      details: { digest, actual },
    });
  }
}
