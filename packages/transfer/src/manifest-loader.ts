import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  hasCode,
  inlinedBytes,
  isManifestType,
  isNotFound,
  type Manifest,
  MoteError,
  type MoteErrorCode,
  maxManifestBytes,
  parseDigest,
  parseJsonRecord,
  parseManifest,
  type Ref,
  readMote,
  untilAborted,
} from "@mote/core";
import type { Job } from "./job.js";
import { namedError } from "./named-error.js";
import { digestOf } from "./refs.js";

/** The maximum total size of the manifests of a transfer, in bytes, because they are held in memory. */
const maxTotalBytes = 64 * 1024 * 1024;

/** A parsed manifest and the origin of its bytes. */
export interface LoadedManifest {
  /** With the media type of the manifest itself. */
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly from: "cache" | "source" | "data";
  /** Whether its media type is unknown, so that it is moved without what it may refer to. */
  readonly isOpaque?: boolean | undefined;
}

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
    return read.isOpaque && parseJsonRecord(read.bytes) === undefined ? undefined : read;
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
    return this.#loadOrResolve(descriptor, descriptor.digest, wrongSize);
  }

  /**
   * Loads the manifest of a reference. If the descriptor is wrong, which may happen for a HEAD response, resolves it again by GET.
   * @throws as `load`
   */
  loadNamed(ref: Ref | string, descriptor: Descriptor): Promise<LoadedManifest> {
    return this.#loadOrResolve(descriptor, ref, [...wrongSize, "MOTE_NOT_FOUND", "MOTE_DIGEST_MISMATCH"]);
  }

  async #loadOrResolve(
    descriptor: Descriptor,
    ref: Ref | string,
    codes: readonly MoteErrorCode[],
  ): Promise<LoadedManifest> {
    try {
      return await this.load(descriptor);
    } catch (error) {
      if (!hasCode(error, ...codes)) throw error;
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
      return await readMote(cache, digest, { maxBytes: maxManifestBytes, signal: this.#job.signal });
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
      assertBytes(bytes, descriptor, "manifest");
      return { ...parse(descriptor, bytes), bytes, from };
    } catch (error) {
      throw namedError(error, descriptor, this.#job.source.ref);
    }
  }
}

const wrongSize: readonly MoteErrorCode[] = ["MOTE_SIZE_MISMATCH", "MOTE_TOO_LARGE"];

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

/** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH */
export function assertBytes(bytes: Uint8Array, { digest, size }: Descriptor, what: string): void {
  if (bytes.byteLength !== size) {
    throw new MoteError("MOTE_SIZE_MISMATCH", `the ${what} ${digest} has ${bytes.byteLength} bytes, not ${size}`, {
      details: { digest, expected: size, actual: bytes.byteLength },
    });
  }
  const actual = digestBytes(bytes, digestAlgorithm(digest));
  if (actual !== digest) {
    throw new MoteError("MOTE_DIGEST_MISMATCH", `expected the ${what} ${digest}, but its bytes hash to ${actual}`, {
      details: { digest, actual },
    });
  }
}
