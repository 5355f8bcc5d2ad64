import {
  type Cancellable,
  type ContentSource,
  collectChunks,
  type Descriptor,
  hasCode,
  isNotFound,
  type Manifest,
  maxManifestBytes,
  parseManifest,
  readMote,
} from "@mote/core";
import type { Parts } from "../parts.js";
import type { Origin } from "../references/origin.js";
import { cacheSource } from "../sources/cache-source.js";
import { assertNoBlob } from "../sources/image-by-digest.js";
import { readFromOrigin } from "../sources/read-from-origin.js";

/** Manifests and configs of an image: from the cache if it has them, else from their source. Stores nothing. */
export class ImageContent {
  readonly source: ContentSource;
  readonly root: Descriptor;
  /** Whether reading from the source costs no request. */
  readonly isLocal: boolean;
  readonly #parts: Parts;
  readonly #signal: AbortSignal | undefined;
  #rootBytes: Uint8Array | undefined;

  constructor(
    source: ContentSource,
    root: Descriptor,
    { parts, isLocal, signal }: Cancellable & { readonly parts: Parts; readonly isLocal: boolean },
  ) {
    this.source = source;
    this.root = root;
    this.isLocal = isLocal;
    this.#parts = parts;
    this.#signal = signal;
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_INVALID_MANIFEST … */
  async manifest(descriptor: Descriptor): Promise<Manifest> {
    return parseManifest(await this.manifestBytes(descriptor), descriptor.mediaType);
  }

  async manifestBytes(descriptor: Descriptor): Promise<Uint8Array> {
    const isRoot = descriptor.digest === this.root.digest;
    const read =
      (isRoot ? this.#rootBytes : undefined) ??
      (await this.#cached(descriptor)) ??
      (await this.source.manifest(descriptor, { signal: this.#signal }));
    if (isRoot) this.#rootBytes = read;
    return read;
  }

  /** Returns undefined if reading it would cost a request, or the source lacks it. */
  async manifestIfHere(descriptor: Descriptor): Promise<Manifest | undefined> {
    try {
      if (this.isLocal) return await this.manifest(descriptor);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    const bytes = await this.#cached(descriptor);
    return bytes && parseManifest(bytes, descriptor.mediaType);
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE … */
  async configBytes(descriptor: Descriptor): Promise<Uint8Array> {
    const cached = await this.#cached(descriptor);
    if (cached !== undefined) return cached;
    await using reader = await this.source.blob(descriptor, { signal: this.#signal });
    return await collectChunks(reader, { maxBytes: maxManifestBytes, what: descriptor.digest });
  }

  /** Returns undefined if the config is missing or too large, or with `ifHere` if reading it would cost a request. */
  async config(descriptor: Descriptor, { ifHere }: { readonly ifHere: boolean }): Promise<Uint8Array | undefined> {
    if (ifHere && !this.isLocal) return this.#cached(descriptor);
    try {
      return await this.configBytes(descriptor);
    } catch (error) {
      if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  }

  /** Damaged content is read from the source instead. */
  async #cached({ digest }: Descriptor): Promise<Uint8Array | undefined> {
    const { cache, logger } = this.#parts;
    const options = { signal: this.#signal };
    try {
      if (!(await cache.moteExists(digest, options))) return undefined;
      return await readMote(cache, digest, { ...options, maxBytes: maxManifestBytes, countsAsUse: false });
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (!isNotFound(error)) logger.debug("cannot read from the cache", { digest, error });
      return undefined;
    }
  }
}

/** Opens an image where it is and passes its content on. A digest is read from the cache, or else from any known location. */
export async function readImage<Result extends { readonly warnings: readonly string[] }>(
  from: Origin,
  parts: Parts,
  { platform, signal }: Cancellable & { readonly platform: string | undefined },
  read: (content: ImageContent) => Promise<Result>,
): Promise<Result> {
  const { cache, endpoints } = parts;
  const open = async (source: ContentSource, isLocal: boolean) => {
    try {
      const root = await source.resolve(from, { signal, manifestFollows: true });
      return await read(new ImageContent(source, root, { parts, isLocal, signal }));
    } finally {
      await source[Symbol.asyncDispose]?.();
    }
  };
  if (typeof from === "string" && (await cache.moteExists(from, { signal }))) {
    await assertNoBlob(cache, from, { signal });
    return open(cacheSource(cache), true);
  }
  const isLocal = endpoints.offline || (typeof from !== "string" && from.transport !== "docker");
  return readFromOrigin(from, parts, { platform, signal }, (source) => open(source, isLocal));
}
