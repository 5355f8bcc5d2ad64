import {
  type Digest,
  isNotFound,
  MoteError,
  type MoteReader,
  type MoteSource,
  type PullThrough,
  type UpstreamRepository,
} from "@mote/core";
import { withFirstChunk } from "./complete-chunks.js";
import type { RepositoryContents } from "./repository-contents.js";
import type { RequestContext } from "./response.js";
import { upstreamError } from "./upstream-error.js";

export interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType?: string | undefined;
  /** Why the manifest may be older than what the upstream has. */
  readonly staleReason?: string | undefined;
}

export interface FoundBlob {
  /** In bytes. */
  readonly size: number;
  /** Opens the blob, or the part from `start` up to, not including, `end`. */
  open(range?: {
    readonly start: number;
    readonly end: number;
  }): Promise<Pick<MoteReader, typeof Symbol.asyncIterator | "close">>;
}

/** Answers requests for the content of upstream registries: with what is stored, or with what is fetched for them. */
export class UpstreamRequests {
  readonly #pullThrough: PullThrough;
  readonly #source: MoteSource;
  readonly #contents: RepositoryContents;

  constructor(pullThrough: PullThrough, source: MoteSource, contents: RepositoryContents) {
    this.#pullThrough = pullThrough;
    this.#source = source;
    this.#contents = contents;
  }

  repository(name: string, namespace: string | undefined): UpstreamRepository | undefined {
    return this.#pullThrough.repository(name, namespace);
  }

  /** `digest`: the reference, if it is one. */
  async manifest(
    repository: UpstreamRepository,
    reference: string,
    { digest, signal }: { readonly digest: Digest | undefined; readonly signal: AbortSignal },
  ): Promise<FoundManifest | undefined> {
    if (digest !== undefined && (await this.#isStored(repository, digest, signal))) return { digest };
    const found = await ask(repository, () => this.#pullThrough.manifest(repository, reference, { signal }));
    if (found === undefined) return undefined;
    const { descriptor, staleReason } = found;
    return { digest: descriptor.digest, mediaType: descriptor.mediaType, staleReason };
  }

  async blob(repository: UpstreamRepository, digest: Digest, request: RequestContext): Promise<FoundBlob | undefined> {
    const { method, signal } = request;
    const stored = (await this.#isStored(repository, digest, signal)) && (await this.#source.find(digest, { signal }));
    if (stored) return { size: stored.size, open: (range) => this.#source.moteReader(digest, { ...range, signal }) };
    if (method === "HEAD") {
      const info = await ask(repository, () => this.#pullThrough.findBlob(repository, digest, { signal }));
      return info && { size: info.size, open: () => Promise.reject(new TypeError("a HEAD request has no body")) };
    }
    const blob = await ask(repository, () => this.#pullThrough.blob(repository, digest, { signal }));
    return (
      blob && { size: blob.info.size, open: (range) => openBlob(repository, () => blob.read({ ...range, signal })) }
    );
  }

  async #isStored({ full }: UpstreamRepository, digest: Digest, signal: AbortSignal): Promise<boolean> {
    return (await this.#contents.has(full, digest)) && (await this.#source.moteExists(digest, { signal }));
  }
}

async function openBlob(repository: UpstreamRepository, open: () => Promise<MoteReader>) {
  const opened = await ask(repository, async () => {
    const reader = await open();
    try {
      return { reader, chunks: await withFirstChunk(reader) };
    } catch (error) {
      await reader.close();
      throw error;
    }
  });
  if (opened === undefined) throw new MoteError("MOTE_NOT_FOUND", "the upstream does not have the blob any more");
  const { reader, chunks } = opened;
  return { [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator](), close: () => reader.close() };
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
