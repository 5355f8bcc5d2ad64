import {
  type Cancellable,
  type Digest,
  detailOf,
  hasCode,
  isNotFound,
  MoteError,
  type MoteReader,
  type MoteSource,
  maxManifestBytes,
  type PullThrough,
  readMote,
  type UpstreamRepository,
} from "@mote/core";
import { completeChunks, withFirstChunk } from "../blobs/complete-chunks.js";
import type { RepositoryContents } from "../repositories/repository-contents.js";
import type { ErrorResponse, RequestContext } from "../routing/response.js";
import { type CatalogPage, upstreamCatalog } from "./upstream-catalog.js";
import { upstreamError } from "./upstream-error.js";

export interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType?: string | undefined;
  readonly bytes?: Uint8Array | undefined;
  /** Whether its content can be fetched again if it is removed. */
  readonly isReplaceable?: boolean | undefined;
  /** Why the manifest may be older than what the upstream has. */
  readonly staleReason?: string | undefined;
  /** Whether it was found without a request to an upstream. Default true. */
  readonly isHit?: boolean | undefined;
}

export interface FoundBlob {
  /** In bytes. */
  readonly size: number;
  /** Returns whether no request to an upstream was needed so far. Default: none ever is. */
  readonly isHit?: (() => boolean) | undefined;
  /** Opens the blob, or the part from `start` up to, not including, `end`. */
  open(range?: {
    readonly start: number;
    readonly end: number;
  }): Promise<Pick<MoteReader, typeof Symbol.asyncIterator | "close">>;
}

type Listed<Result> = { readonly result: Result } | { readonly failure: ErrorResponse | undefined } | undefined;

/** Answers requests for the content of upstream registries: with what is stored, or with what is fetched for them. */
export function upstreamRequests(pullThrough: PullThrough, source: MoteSource, contents: RepositoryContents) {
  function repository(name: string, namespace: string | undefined): UpstreamRepository | undefined {
    return pullThrough.repository(name, namespace);
  }

  /** `digest`: the reference, if it is one. */
  async function manifest(
    repository: UpstreamRepository,
    reference: string,
    digest: Digest | undefined,
    { signal, facts }: RequestContext,
  ): Promise<FoundManifest | undefined> {
    facts.upstream = repository.upstream;
    const isReplaceable = pullThrough.isAvailable(repository);
    const stored = digest === undefined ? undefined : await storedManifest(repository, digest, signal);
    if (digest !== undefined && stored !== undefined) return { digest, bytes: stored, isReplaceable };
    const found = await ask(repository, () => pullThrough.manifest(repository, reference, { signal }));
    if (found === undefined) return undefined;
    const { descriptor, bytes, staleReason, isHit } = found;
    return { digest: descriptor.digest, mediaType: descriptor.mediaType, bytes, isReplaceable, staleReason, isHit };
  }

  async function blob(
    repository: UpstreamRepository,
    digest: Digest,
    request: RequestContext,
  ): Promise<FoundBlob | undefined> {
    const { method, signal, facts } = request;
    facts.upstream = repository.upstream;
    const stored = (await isStored(repository, digest, signal)) && (await source.find(digest, { signal }));
    if (stored) return storedBlob(repository, digest, stored.size, signal);
    if (method !== "HEAD") return fetchedBlob(repository, digest, signal);
    const info = await ask(repository, () => pullThrough.findBlob(repository, digest, { signal }));
    const open = () => Promise.reject(new TypeError("a HEAD request has no body"));
    return info && { size: info.size, open, isHit: () => false };
  }

  function storedBlob(repository: UpstreamRepository, digest: Digest, size: number, signal: AbortSignal): FoundBlob {
    let fetched: FoundBlob | undefined;
    const open: FoundBlob["open"] = async (range) => {
      try {
        return await source.moteReader(digest, { ...range, rehash: false, signal });
      } catch (error) {
        // A prune may have removed it since, or it was damaged and is quarantined now.
        if (isMissing(error)) fetched = await fetchedBlob(repository, digest, signal);
        if (fetched === undefined) throw error;
        return await fetched.open(range);
      }
    };
    return { size, open, isHit: () => fetched?.isHit?.() ?? true };
  }

  async function fetchedBlob(
    repository: UpstreamRepository,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<FoundBlob | undefined> {
    let isHit = true;
    const options = {
      signal,
      onMiss: () => {
        isHit = false;
      },
    };
    const blob = await ask(repository, () => pullThrough.blob(repository, digest, options));
    if (blob === undefined) return undefined;
    return {
      size: blob.info.size,
      open: ({ start, end } = { start: 0, end: blob.info.size }) =>
        openBlob(repository, end - start, () => blob.read({ start, end, reuse: true, ...options })),
      isHit: () => isHit,
    };
  }

  /**
   * Reads a list. Returns undefined if the upstream answers that it does not have it, and the error if it cannot answer; without one if it
   * must not be asked.
   * @throws ErrorResponse 401 and 403, which are answers
   */
  async function list<Result>(
    upstream: string,
    read: (source: PullThrough) => Promise<Result>,
  ): Promise<Listed<Result>> {
    try {
      return { result: await read(pullThrough) };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!MoteError.isInstance(error)) throw error;
      const failure = upstreamError(error, upstream);
      if (hasCode(error, "MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN")) throw failure;
      return { failure: detailOf(error, "reason") === "offline" ? undefined : failure };
    }
  }

  /** Lists repositories of all upstreams, or of the upstream `namespace`, by the names that requests use. */
  function catalog(page: CatalogPage, options: Cancellable & { readonly namespace: string | undefined }) {
    return upstreamCatalog(pullThrough, page, options);
  }

  async function storedManifest(
    repository: UpstreamRepository,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const stored = await pullThrough.storedManifest(repository, digest, { signal });
    if (stored !== undefined) return stored;
    if (!(await isStored(repository, digest, signal))) return undefined;
    try {
      return await readMote(source, digest, { maxBytes: maxManifestBytes, signal });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async function isStored({ full }: UpstreamRepository, digest: Digest, signal: AbortSignal): Promise<boolean> {
    return (await contents.has(full, digest)) && (await source.moteExists(digest, { signal }));
  }

  return { repository, manifest, blob, list, catalog };
}

export type UpstreamRequests = ReturnType<typeof upstreamRequests>;

/** Resolves when the first bytes may be sent; for a blob of few bytes, that is when they are verified. */
async function openBlob(repository: UpstreamRepository, length: number, open: () => Promise<MoteReader>) {
  const opened = await ask(repository, async () => {
    const reader = await open();
    try {
      return { reader, chunks: await withFirstChunk(completeChunks(reader, length)) };
    } catch (error) {
      await reader.close();
      throw error;
    }
  });
  if (opened === undefined) throw new MoteError("MOTE_NOT_FOUND", "the upstream no longer has the blob");
  const { reader, chunks } = opened;
  return { [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator](), close: () => reader.close() };
}

function isMissing(error: unknown): boolean {
  return hasCode(error, "MOTE_NOT_FOUND", "MOTE_CORRUPT");
}

/** Returns undefined if the upstream answers that it does not have something. @throws ErrorResponse for every other error of it */
async function ask<Result>(
  { upstream }: UpstreamRepository,
  request: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await request();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw MoteError.isInstance(error) ? upstreamError(error, upstream) : error;
  }
}
