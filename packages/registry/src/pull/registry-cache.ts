import {
  type Cancellable,
  type Digest,
  digestAlgorithm,
  digestBytes,
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
import { bareType, RepositoryApi } from "../repository-api.js";
import type { RepositoryLocation } from "../repository-location.js";
import { MemoryReader } from "./memory-reader.js";
import { RangeReaderAt } from "./range-reader-at.js";

/**
 * A repository as the tier behind a cache: its blobs and its manifests, by digest, read-only. What the registry keeps and does
 * not hash to its digest is `MOTE_CORRUPT`.
 *
 * Beside what `MoteSource` names: @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_RATE_LIMITED · MOTE_UNREACHABLE ·
 * MOTE_TIMEOUT · MOTE_REGISTRY
 */
export class RegistryCache implements MoteSource {
  readonly #api: RepositoryApi;

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, place: RepositoryLocation) {
    this.#api = new RepositoryApi(client, place);
  }

  async moteExists(digest: Digest, options: Cancellable = {}): Promise<boolean> {
    return (await this.find(digest, options)) !== undefined;
  }

  async find(digest: Digest, options: Cancellable = {}): Promise<MoteInfo | undefined> {
    parseDigest(digest);
    return (await this.#head("blobs", digest, options)) ?? (await this.#head("manifests", digest, options));
  }

  /** The blob's URL. */
  moteRef(digest: Digest): string {
    return this.#api.url(`blobs/${parseDigest(digest)}`).href;
  }

  async moteReader(digest: Digest, options: ReadOptions = {}): Promise<MoteReader> {
    const { start = 0, end, reuse, signal } = options;
    parseDigest(digest);
    checkRange(start, end);
    const size = start > 0 || end !== undefined ? await this.#sizeOf(digest, options) : undefined;
    const wish = { digest, mediaType: mediaTypes.octetStream, size, start, verify: true, damage: true, reuse, signal };
    const last = Math.min(end ?? Number.POSITIVE_INFINITY, size ?? Number.POSITIVE_INFINITY);
    if (size !== undefined && start >= last) return new MemoryReader({ ...wish, size }, new Uint8Array());
    try {
      return await this.#api.openBlob(
        last === size || last === Number.POSITIVE_INFINITY ? wish : { ...wish, end: last },
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const { info, bytes } = await this.#manifest(digest, options);
      return new MemoryReader(info, bytes.slice(start, end));
    }
  }

  async moteReaderAt(digest: Digest, options: Cancellable = {}): Promise<MoteReaderAt> {
    const found = await this.find(digest, options);
    if (found === undefined) throw this.#absent(digest);
    return new RangeReaderAt(found.size, (start, end, signal) => this.moteReader(digest, { start, end, signal }));
  }

  async #head(kind: "blobs" | "manifests", digest: Digest, options: Cancellable): Promise<MoteInfo | undefined> {
    const answer = await this.#api.head(`${kind}/${digest}`, {
      what: digest,
      ...(kind === "manifests" ? { headers: { accept: manifestTypes.join(", ") } } : {}),
      digest,
      accepts: (status) => status !== 401 && !isTransientStatus(status),
      signal: options.signal,
    });
    const { status, redirectedTo } = answer;
    if (status === 404 && redirectedTo === undefined) return undefined;
    // A registry may not support HEAD, or redirect it to a URL that is signed for GET alone.
    if (status !== 200) return this.#get(kind, digest, options);
    const mediaType =
      (kind === "manifests" ? bareType(answer.header("content-type")) : undefined) ?? mediaTypes.octetStream;
    const length = answer.header("content-length");
    return length === undefined ? this.#get(kind, digest, options) : { digest, size: Number(length), mediaType };
  }

  async #get(kind: "blobs" | "manifests", digest: Digest, options: Cancellable): Promise<MoteInfo | undefined> {
    try {
      if (kind === "manifests") return (await this.#manifest(digest, options)).info;
      const about = { digest, mediaType: mediaTypes.octetStream, start: 0, end: 1 };
      await using reader = await this.#api.openBlob({ ...about, verify: false, damage: true, signal: options.signal });
      return reader.info;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #sizeOf(digest: Digest, options: Cancellable): Promise<number> {
    const found = await this.find(digest, options);
    if (found === undefined) throw this.#absent(digest);
    return found.size;
  }

  async #manifest(digest: Digest, options: Cancellable): Promise<{ info: MoteInfo; bytes: Uint8Array }> {
    const { bytes, mediaType = mediaTypes.octetStream } = await this.#api.getManifest(digest, {
      what: digest,
      digest,
      signal: options.signal,
    });
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) {
      throw new MoteError("MOTE_CORRUPT", `${digest} from ${this.#api.registry}: its bytes hash to ${actual}`, {
        details: { ...this.#api.subject({ digest }), actual },
      });
    }
    return { info: { digest, size: bytes.byteLength, mediaType }, bytes };
  }

  #absent(digest: Digest): MoteError {
    const { registry, repository } = this.#api;
    return new MoteError("MOTE_NOT_FOUND", `${registry} does not have ${digest} in ${repository}`, {
      details: this.#api.subject({ digest }),
    });
  }
}

function checkRange(start: number, end: number | undefined): void {
  for (const at of [start, end ?? 0]) {
    if (!Number.isSafeInteger(at) || at < 0) throw new TypeError(`a range is in counts of bytes, and not ${at}`);
  }
}
