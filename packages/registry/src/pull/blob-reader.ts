import {
  createDigester,
  type Digest,
  type Digester,
  digestAlgorithm,
  MoteError,
  type MoteErrorCode,
  type MoteInfo,
  type MoteReader,
} from "@mote/core";
import type { RegistryClient, RegistryResponse } from "../client.js";
import { isAbsence, isNetworkError, networkError, networkFailure, placeOf, type Subject } from "../http/errors.js";
import { backoff, type RetryPolicy } from "../http/retry.js";
import { sleep } from "../http/waiting.js";
import { BlobRange, blobError } from "./blob-range.js";

/** Which bytes of a blob to read, and what is known of it. */
export interface BlobRequestOptions {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the whole blob, in bytes, where known. */
  readonly size?: number | undefined;
  readonly start: number;
  /** The first byte not wanted. Default: read to the end. */
  readonly end?: number | undefined;
  readonly verify: boolean;
  /** Where a blob that is not what it should be is a damaged copy of one that was kept. */
  readonly damage: boolean;
  /** Who reads is done with each chunk when he asks for the next. */
  readonly reuse?: boolean | undefined;
  /** Whether a body without a length, labelled with a content coding, is in that coding. Default: as the media type tells. */
  readonly isCoded?: boolean | undefined;
  /** Called with the decision if that question came up. */
  readonly onDoubt?: ((isCoded: boolean) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where a blob is read. */
export interface BlobLocation {
  readonly client: RegistryClient;
  readonly policy: RetryPolicy;
  readonly subject: Subject;
}

/** Asks for the blob with the given headers, and hands the answer over with its body unread. */
export type BlobRequest = (headers: Readonly<Record<string, string>>) => Promise<RegistryResponse>;

/** Each so many bytes that came earn one more resume, so that a large blob survives a poor line and nobody loops for ever. */
const bytesPerResume = 64 * 1024 * 1024;

/** A server that sends smaller parts of a blob than this is resumed so often as one that breaks off. */
const leastPartBytes = 1024 * 1024;

/** Opens a blob: the first answer has come and has been checked when this returns. */
export async function openBlob(at: BlobLocation, wish: BlobRequestOptions, request: BlobRequest): Promise<MoteReader> {
  const { start: offset, size } = wish;
  const from = { offset, size, validator: undefined, takesRanges: true };
  const first = await BlobRange.open(at.subject, wish, request, from);
  return new BlobReader(at, wish, request, first);
}

class BlobReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #client: RegistryClient;
  readonly #policy: RetryPolicy;
  readonly #subject: Subject;
  readonly #wish: BlobRequestOptions;
  readonly #request: BlobRequest;
  readonly #end: number;
  #range: BlobRange;
  #state: "unread" | "reading" | "closed" = "unread";

  constructor(at: BlobLocation, wish: BlobRequestOptions, request: BlobRequest, first: BlobRange) {
    this.#client = at.client;
    this.#policy = at.policy;
    this.#subject = at.subject;
    this.#wish = wish;
    this.#request = request;
    this.#range = first;
    this.#end = Math.min(wish.end ?? first.size, first.size);
    this.info = { digest: wish.digest, size: first.size, mediaType: wish.mediaType };
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#state !== "unread") {
      const why = this.#state === "closed" ? "is closed" : "can be read once";
      throw new MoteError("MOTE_CLOSED", `the reader of ${this.#wish.digest} ${why}`);
    }
    this.#state = "reading";
    return this.#chunks();
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#range.discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, start, verify } = this.#wish;
    const whole = verify && start === 0 && this.#end === this.info.size;
    const digester: Digester | undefined = whole ? createDigester(digestAlgorithm(digest)) : undefined;
    let at = start;
    for (let resumes = 0; ; ) {
      const most = () => this.#policy.retries + Math.floor((at - start) / bytesPerResume);
      const partStart = at;
      try {
        for await (const chunk of this.#range) {
          this.#assertOpen();
          at += chunk.byteLength;
          if (at > this.#end)
            throw this.#fault("MOTE_SIZE_MISMATCH", `more bytes came than its ${this.info.size}`, {
              expected: this.info.size,
              actual: at,
            });
          digester?.update(chunk);
          yield chunk;
        }
        // A server may send less than the range that it was asked for, and says so.
        const isPart = at < this.#end && at === this.#range.end;
        if (!isPart || (at - partStart < leastPartBytes && ++resumes > most())) break;
        await this.#openAt(at);
      } catch (error) {
        this.#wish.signal?.throwIfAborted();
        this.#assertOpen();
        if (!isNetworkError(error)) throw error;
        // All of it came, and only the end of the message was lost.
        if (at === this.#end) break;
        resumes = await this.#resumeWithin(most(), { at, resumes, error });
      }
    }
    this.#range.discard();
    if (at < this.#end)
      throw this.#fault("MOTE_SIZE_MISMATCH", `it has ${this.#end - start} bytes to read, and ${at - start} came`, {
        expected: this.#end - start,
        actual: at - start,
      });
    const actual = digester?.digest() ?? digest;
    if (actual !== digest)
      throw this.#fault("MOTE_DIGEST_MISMATCH", `its bytes hash to ${actual}`, { expected: digest, actual });
  }

  /** A host that is not there at the moment has not answered, so it is asked again. Answers how often that was by now. */
  async #resumeWithin(
    most: number,
    { at, resumes, error }: { readonly at: number; readonly resumes: number; readonly error: unknown },
  ): Promise<number> {
    for (let attempt = resumes + 1; attempt <= most; attempt++) {
      try {
        await this.#resume(at, attempt, error);
        return attempt;
      } catch (failure) {
        if (!isAbsence(failure) || attempt === most) throw failure;
      }
    }
    throw this.#cut(error, at);
  }

  async #resume(offset: number, attempt: number, error: unknown): Promise<void> {
    const { registry, repository, digest } = this.#subject;
    await sleep(backoff(this.#policy, attempt), this.#wish.signal);
    this.#client.report({ type: "resume", registry, repository, digest, offset, reason: networkFailure(error) });
    await this.#openAt(offset);
  }

  async #openAt(offset: number): Promise<void> {
    const { validator, takesRanges } = this.#range;
    const from = { offset, size: this.info.size, validator, takesRanges };
    this.#range = await BlobRange.open(this.#subject, this.#wish, this.#request, from);
  }

  /** After the last resume: what ended the last attempt. */
  #cut(error: unknown, at: number): MoteError {
    const { registry, repository } = this.#subject;
    const failure = networkFailure(error);
    if (failure === "timeout" || failure === "slow") {
      const what = `the rest of blob ${this.#wish.digest} in ${repository}`;
      return networkError(this.#subject, registry, error, what);
    }
    return new MoteError(
      "MOTE_SIZE_MISMATCH",
      `${placeOf(this.#subject)} has cut off ${this.#wish.digest} again and again, the last time after ${at} of ${this.info.size} bytes; try again later`,
      { details: { ...this.#subject, expected: this.info.size, actual: at, resumable: true }, cause: error },
    );
  }

  #fault(code: MoteErrorCode, message: string, details: object): MoteError {
    return blobError(this.#subject, this.#wish, code, message, details);
  }

  #assertOpen(): void {
    if (this.#state === "closed") throw new MoteError("MOTE_CLOSED", `the reader of ${this.#wish.digest} is closed`);
  }
}
