import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  inlinedBytes,
  isManifestType,
  isNotFound,
  isRecord,
  MoteError,
  maxManifestBytes,
  parseDigest,
  parseJsonDocument,
  parseManifest,
  type Ref,
  readMote,
  untilAborted,
} from "@mote/core";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import { namedError } from "./named-error.js";
import { digestOf } from "./root.js";

/** The maximum total size of the manifests of a transfer, in bytes, because they are held in memory. */
const maxTotalBytes = 64 * 1024 * 1024;

/** With the parse error of an opaque manifest. */
interface ReadManifest extends LoadedManifest {
  readonly reason?: unknown;
}

/** Loads manifests from the cache or the source, each once, and verifies size and digest before parsing them. */
export class ManifestLoader {
  readonly #job: Job;
  readonly #loaded = new Map<Digest, Promise<ReadManifest>>();
  #totalBytes = 0;

  constructor(job: Job) {
    this.#job = job;
  }

  /** Loads a manifest. @throws MOTE_TOO_LARGE · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_INVALID_MANIFEST · what the source throws */
  async load(descriptor: Descriptor): Promise<LoadedManifest> {
    const read = await this.#once(descriptor);
    if (read.isOpaque) throw read.reason;
    return read;
  }

  /**
   * Loads an entry of an index, which may have an unknown media type. Returns undefined if it is not a manifest.
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
   * Loads a listed referrer. If its listed size is wrong, resolves the digest: Harbor before 2.11 adds the size of the layers, and Google
   * Artifact Registry was seen to list wrong sizes.
   * @throws as `load`
   */
  loadListed(descriptor: Descriptor): Promise<LoadedManifest> {
    return this.#loadOrResolve(descriptor, descriptor.digest, isWrongSize);
  }

  /**
   * Loads the manifest of a reference. If the descriptor is wrong, which may happen for a HEAD response, resolves it again by GET.
   * @throws as `load`
   */
  loadNamed(ref: Ref | string, descriptor: Descriptor): Promise<LoadedManifest> {
    return this.#loadOrResolve(descriptor, ref, (error) => isWrongSize(error) || isWrongDigest(error));
  }

  async #loadOrResolve(
    descriptor: Descriptor,
    ref: Ref | string,
    isWrongDescriptor: (error: unknown) => boolean,
  ): Promise<LoadedManifest> {
    try {
      return await this.load(descriptor);
    } catch (error) {
      if (!isWrongDescriptor(error)) throw error;
      const actual = await this.#resolve(ref, error);
      const isChanged = actual.digest !== descriptor.digest || actual.size !== descriptor.size;
      const isRequested = actual.digest === (digestOf(ref) ?? actual.digest);
      if (!isChanged || !isRequested) throw error;
      this.#loaded.delete(descriptor.digest);
      return this.load({ ...descriptor, digest: actual.digest, size: actual.size });
    }
  }

  /** Resolves a reference with its manifest. @throws `error` if that fails */
  async #resolve(ref: Ref | string, error: unknown): Promise<Descriptor> {
    const options = this.#job.callOptions();
    const { signal } = options;
    try {
      return await untilAborted(this.#job.source.resolve(ref, { ...options, manifestFollows: true }), signal);
    } catch {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Returns the bytes of a cached manifest; undefined if the cache cannot read it. */
  async fromCache(digest: Digest): Promise<Uint8Array | undefined> {
    const { cache, signal } = this.#job;
    try {
      return await readMote(cache, digest, { maxBytes: maxManifestBytes, signal: this.#job.ownSignal() });
    } catch (error) {
      signal.throwIfAborted();
      if (!isNotFound(error)) this.#job.warn(`cannot read ${digest} from the cache; fetching it`, error, digest);
      return undefined;
    }
  }

  async #read(descriptor: Descriptor): Promise<ReadManifest> {
    const { digest, size } = descriptor;
    if (size > maxManifestBytes || this.#totalBytes + size > maxTotalBytes) {
      throw new MoteError(
        "MOTE_TOO_LARGE",
        `the manifest ${digest} has ${size} bytes; the limits are ${maxManifestBytes} bytes for one and ${maxTotalBytes} bytes for all manifests`,
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
      verify(descriptor, bytes);
      return { ...parse(descriptor, bytes), bytes, from };
    } catch (error) {
      throw namedError(error, descriptor, this.#job.source.ref);
    }
  }
}

function isWrongSize(error: unknown): boolean {
  return MoteError.isInstance(error) && (error.code === "MOTE_SIZE_MISMATCH" || error.code === "MOTE_TOO_LARGE");
}

function isWrongDigest(error: unknown): boolean {
  return isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_DIGEST_MISMATCH");
}

function parse(
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
    return isRecord(parseJsonDocument(bytes));
  } catch {
    return false;
  }
}

function verify({ digest, size }: Descriptor, bytes: Uint8Array): void {
  if (bytes.byteLength !== size) {
    throw new MoteError("MOTE_SIZE_MISMATCH", `the manifest ${digest} has ${bytes.byteLength} bytes, not ${size}`, {
      details: { digest, expected: size, actual: bytes.byteLength },
    });
  }
  const actual = digestBytes(bytes, digestAlgorithm(digest));
  if (actual !== digest) {
    throw new MoteError("MOTE_DIGEST_MISMATCH", `expected the manifest ${digest}, but its bytes hash to ${actual}`, {
      details: { digest, actual },
    });
  }
}
