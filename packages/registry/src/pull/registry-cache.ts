import {
  BytesReader,
  type CallOptions,
  type Digest,
  digestAlgorithm,
  digestBytes,
  ifFound,
  isNotFound,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteSource,
  manifestTypes,
  mediaTypes,
  parseDigest,
  type ReadOptions,
} from "@mote/core";
import type { RegistryClient } from "../client.js";
import { isTransientStatus } from "../http/retry.js";
import { bareType, RepositoryApi, type RepositoryApiOptions } from "../repository-api.js";
import type { RepositoryLocation } from "../repository-location.js";
import { openBlob } from "./blob-reader.js";
import { rangeReaderAt } from "./range-reader-at.js";

/**
 * A repository as a read-only cache tier: its blobs and manifests by digest. Bytes that do not match their digest are `MOTE_CORRUPT`.
 * Every method: @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_RATE_LIMITED · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY
 */
export class RegistryCache implements MoteSource {
  readonly #api: RepositoryApi;

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, location: RepositoryLocation, options: RepositoryApiOptions = {}) {
    this.#api = new RepositoryApi(client, location, options);
  }

  async moteExists(digest: Digest, options: CallOptions = {}): Promise<boolean> {
    return (await this.find(digest, options)) !== undefined;
  }

  async find(digest: Digest, { signal, onEvent }: CallOptions = {}): Promise<MoteInfo | undefined> {
    parseDigest(digest);
    const request = { signal, onEvent };
    return (await this.#head("blobs", digest, request)) ?? (await this.#head("manifests", digest, request));
  }

  /** The blob's URL. */
  moteRef(digest: Digest): string {
    return this.#api.url(`blobs/${parseDigest(digest)}`).href;
  }

  async moteReader(digest: Digest, options: ReadOptions & CallOptions = {}): Promise<MoteReader> {
    const { start = 0, end = Number.POSITIVE_INFINITY, verifyOnRead = true, reuse, signal, onEvent } = options;
    const request = { signal, onEvent };
    parseDigest(digest);
    for (const at of [start, options.end ?? 0]) {
      if (!Number.isSafeInteger(at) || at < 0) throw new TypeError(`a range is in counts of bytes, and not ${at}`);
    }
    const isRange = start > 0 || options.end !== undefined;
    const size = isRange ? (await this.#found(digest, request)).size : undefined;
    const blob = { digest, mediaType: mediaTypes.octetStream, size, start, verify: verifyOnRead, damage: true };
    const last = Math.min(end, size ?? Number.POSITIVE_INFINITY);
    if (size !== undefined && start >= last) return new BytesReader({ ...blob, size }, new Uint8Array());
    const isToEnd = last === size || last === Number.POSITIVE_INFINITY;
    try {
      return await openBlob(this.#api, { ...blob, ...(isToEnd ? {} : { end: last }), reuse, ...request });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const { info, bytes } = await this.#manifest(digest, request);
      return new BytesReader(info, bytes.slice(start, options.end));
    }
  }

  async moteReaderAt(digest: Digest, options: CallOptions = {}): Promise<MoteReaderAt> {
    const { size } = await this.#found(digest, options);
    return rangeReaderAt(size, (start, end, signal) =>
      this.moteReader(digest, { start, end, signal, onEvent: options.onEvent }),
    );
  }

  async #head(kind: "blobs" | "manifests", digest: Digest, options: CallOptions): Promise<MoteInfo | undefined> {
    const response = await this.#api.head(`${kind}/${digest}`, {
      what: digest,
      ...(kind === "manifests" ? { headers: { accept: manifestTypes.join(", ") } } : {}),
      digest,
      accepts: (status) => status !== 401 && !isTransientStatus(status),
      ...options,
    });
    const { status, redirectedTo } = response;
    if (status === 404 && redirectedTo === undefined) return undefined;
    // A registry may not support HEAD, or may redirect it to a URL signed only for GET.
    if (status !== 200) return this.#get(kind, digest, options);
    const mediaType =
      (kind === "manifests" ? bareType(response.header("content-type")) : undefined) ?? mediaTypes.octetStream;
    const length = response.header("content-length");
    return length === undefined ? this.#get(kind, digest, options) : { digest, size: Number(length), mediaType };
  }

  async #get(kind: "blobs" | "manifests", digest: Digest, options: CallOptions): Promise<MoteInfo | undefined> {
    if (kind === "manifests") return (await ifFound(this.#manifest(digest, options)))?.info;
    const about = { digest, mediaType: mediaTypes.octetStream, start: 0, end: 1 };
    await using reader = await ifFound(openBlob(this.#api, { ...about, verify: false, damage: true, ...options }));
    return reader?.info;
  }

  /** @throws MOTE_NOT_FOUND */
  async #found(digest: Digest, options: CallOptions): Promise<MoteInfo> {
    const found = await this.find(digest, options);
    if (found !== undefined) return found;
    const { registry, repository } = this.#api;
    throw new MoteError("MOTE_NOT_FOUND", `${registry} does not have ${digest} in ${repository}`, {
      details: this.#api.subject({ digest }),
    });
  }

  async #manifest(digest: Digest, options: CallOptions): Promise<{ info: MoteInfo; bytes: Uint8Array }> {
    const { bytes, mediaType = mediaTypes.octetStream } = await this.#api.getManifest(digest, {
      what: digest,
      digest,
      ...options,
    });
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) {
      throw new MoteError("MOTE_CORRUPT", `${digest} from ${this.#api.registry}: its bytes hash to ${actual}`, {
        details: { ...this.#api.subject({ digest }), actual },
      });
    }
    return { info: { digest, size: bytes.byteLength, mediaType }, bytes };
  }
}
