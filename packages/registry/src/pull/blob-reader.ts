import {
  BytesReader,
  createDigester,
  type Digester,
  digestAlgorithm,
  MoteError,
  type MoteReader,
  ReadOnceReader,
  resumeChunks,
  type StreamEnd,
} from "@mote/core";
import { isNetworkError, networkFailure } from "../http/network-errors.js";
import { backoff } from "../http/retry.js";
import { sleep } from "../http/waiting.js";
import { isHostDown, networkError } from "../reports/network-error.js";
import { type Subject, subjectName } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { BlobRange } from "./blob-range.js";
import { type BlobRequest, blobError } from "./blob-request.js";

/** Bytes per additional resume, so that a large blob survives a poor connection and nothing loops forever. */
const bytesPerResume = 64 * 1024 * 1024;

/** A response with fewer bytes of a range than this counts as a resume. */
const minRangeBytes = 1024 * 1024;

/** Opens a blob; resolves once the first response has been checked. @throws MOTE_NOT_FOUND · MOTE_SIZE_MISMATCH */
export async function openBlob(api: RepositoryApi, request: BlobRequest): Promise<MoteReader> {
  const from = { offset: request.start, size: request.size, validator: undefined, takesRanges: true };
  const range = await BlobRange.open(api, request, from);
  const { digest, mediaType, start, end, verify } = request;
  const bytes = verify || start > 0 || end !== undefined ? undefined : await range.complete();
  if (bytes === undefined) return new BlobReader(api, request, range);
  return new BytesReader({ digest, size: range.size, mediaType }, bytes);
}

class BlobReader extends ReadOnceReader {
  readonly #api: RepositoryApi;
  readonly #subject: Subject;
  readonly #request: BlobRequest;
  /** The byte after the last one to read. */
  readonly #end: number;
  #range: BlobRange;
  #resumes = 0;

  constructor(api: RepositoryApi, request: BlobRequest, first: BlobRange) {
    const isWhole = request.ranges?.isWhole === true;
    const { digest, mediaType } = request;
    const end = (isWhole ? undefined : request.end) ?? first.size;
    super({ digest, size: first.size, mediaType });
    this.#api = api;
    this.#subject = api.subject({ digest });
    // The rest of a whole response is not one of several ranges.
    this.#request = isWhole ? { ...request, end: undefined, ranges: undefined } : request;
    this.#range = first;
    this.#end = Math.min(end, first.size);
  }

  protected override release(): void {
    this.#range.discard();
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, start, verify } = this.#request;
    const { size } = this.info;
    const isComplete = verify && start === 0 && this.#end === size;
    const digester: Digester | undefined = isComplete ? createDigester(digestAlgorithm(digest)) : undefined;
    let at = start;
    for await (const chunk of resumeChunks(this.#range, start, (end) => this.#next(end))) {
      at += chunk.byteLength;
      if (at > this.#end) throw this.#sizeError(`more bytes arrived than its ${size}`, size, at);
      digester?.update(chunk);
      yield chunk;
    }
    const [expected, actual] = [this.#end - start, at - start];
    if (actual < expected) throw this.#sizeError(`expected ${expected} bytes, but ${actual} arrived`, expected, actual);
    const hash = digester?.digest() ?? digest;
    if (hash !== digest) {
      const details = { expected: digest, actual: hash };
      throw blobError(this.#subject, this.#request, "MOTE_DIGEST_MISMATCH", `its bytes hash to ${hash}`, details);
    }
  }

  /** Returns the response to continue with after one ended early. */
  async #next({ start, offset, failure }: StreamEnd): Promise<BlobRange | undefined> {
    const { retries } = this.#api.policy;
    const most = retries + Math.floor((offset - this.#request.start) / bytesPerResume);
    if (failure === undefined) {
      // A server may send less than the requested range, and say so.
      const isPart = offset < this.#end && offset === this.#range.end;
      if (!isPart || (offset - start < minRangeBytes && ++this.#resumes > most)) return undefined;
      return this.#openAt(offset);
    }
    this.#request.signal?.throwIfAborted();
    this.assertOpen();
    if (!isNetworkError(failure.error)) throw failure.error;
    // All bytes arrived; only the end of the message was lost.
    if (offset === this.#end) return undefined;
    return this.#resume(offset, most, failure.error);
  }

  /** Repeats the request while the host is down. */
  async #resume(offset: number, most: number, cause: unknown): Promise<BlobRange> {
    const { signal } = this.#request;
    const { registry, repository, digest } = this.#subject;
    const event = { type: "resume", registry, repository, digest, offset, reason: networkFailure(cause) } as const;
    while (++this.#resumes <= most) {
      await sleep(backoff(this.#api.policy, this.#resumes), signal);
      this.#api.client.report(event, this.#request);
      try {
        return await this.#openAt(offset);
      } catch (error) {
        if (!isHostDown(error) || this.#resumes === most) throw error;
      }
    }
    throw this.#cutError(cause, offset);
  }

  async #openAt(offset: number): Promise<BlobRange> {
    const { validator, takesRanges } = this.#range;
    this.#range = await BlobRange.open(this.#api, this.#request, {
      offset,
      size: this.info.size,
      validator,
      takesRanges,
    });
    return this.#range;
  }

  /** Returns the error after the last resume. */
  #cutError(cause: unknown, offset: number): MoteError {
    const { size, digest } = this.info;
    const failure = networkFailure(cause);
    if (failure === "timeout" || failure === "slow") {
      const { registry, repository } = this.#subject;
      return networkError(this.#subject, registry, cause, `the rest of blob ${digest} in ${repository}`);
    }
    return new MoteError(
      "MOTE_SIZE_MISMATCH",
      `${subjectName(this.#subject)} kept closing the connection while it sent ${digest}, last after ${offset} of ${size} bytes; retry later`,
      { details: { ...this.#subject, expected: size, actual: offset, resumable: true }, cause },
    );
  }

  #sizeError(message: string, expected: number, actual: number): MoteError {
    return blobError(this.#subject, this.#request, "MOTE_SIZE_MISMATCH", message, { expected, actual });
  }
}
