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
import type { RegistryAnswer, RegistryClient } from "./client.js";
import {
  assertPlain,
  isAbsence,
  isNetworkError,
  networkFailure,
  networkFault,
  placeOf,
  protocolFault,
  type Subject,
} from "./fault.js";
import { backoff, type RetryPolicy } from "./retry.js";
import { sleep } from "./waiting.js";

/** Which bytes of a blob to read, and what is known of it. */
export interface BlobWish {
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
  readonly signal?: AbortSignal | undefined;
}

/** Where a blob is read. */
export interface BlobPlace {
  readonly client: RegistryClient;
  readonly policy: RetryPolicy;
  readonly subject: Subject;
}

/** Asks for the blob with the given headers, and hands the answer over with its body unread. */
export type BlobRequest = (headers: Readonly<Record<string, string>>) => Promise<RegistryAnswer>;

/** Each so many bytes that came earn one more resume, so that a large blob survives a poor line and nobody loops for ever. */
const bytesPerResume = 64 * 1024 * 1024;

/** Opens a blob: the first answer has come and has been checked when this returns. */
export async function openBlob(at: BlobPlace, wish: BlobWish, request: BlobRequest): Promise<MoteReader> {
  const first = await Piece.open(at.subject, wish, request, wish.start, undefined);
  return new BlobReader(at, wish, request, first);
}

class BlobReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #client: RegistryClient;
  readonly #policy: RetryPolicy;
  readonly #subject: Subject;
  readonly #wish: BlobWish;
  readonly #request: BlobRequest;
  readonly #end: number;
  #piece: Piece;
  #state: "unread" | "reading" | "closed" = "unread";

  constructor(at: BlobPlace, wish: BlobWish, request: BlobRequest, first: Piece) {
    this.#client = at.client;
    this.#policy = at.policy;
    this.#subject = at.subject;
    this.#wish = wish;
    this.#request = request;
    this.#piece = first;
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
    this.#piece.discard();
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
      try {
        for await (const chunk of this.#piece) {
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
        break;
      } catch (error) {
        this.#wish.signal?.throwIfAborted();
        this.#assertOpen();
        if (!isNetworkError(error)) throw error;
        // All of it came, and only the end of the message was lost.
        if (at === this.#end) break;
        const most = this.#policy.retries + Math.floor((at - start) / bytesPerResume);
        resumes = await this.#resumeWithin(most, { at, resumes, error });
      }
    }
    this.#piece.discard();
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
    this.#piece = await Piece.open(this.#subject, this.#wish, this.#request, offset, this.#piece.validator);
    if (this.#piece.size !== this.info.size) {
      throw this.#fault(
        "MOTE_SIZE_MISMATCH",
        `it had ${this.info.size} bytes at first, and has ${this.#piece.size} now`,
        { expected: this.info.size, actual: this.#piece.size },
      );
    }
  }

  /** After the last resume: what ended the last attempt. */
  #cut(error: unknown, at: number): MoteError {
    const { registry, repository } = this.#subject;
    const failure = networkFailure(error);
    if (failure === "timeout" || failure === "slow") {
      const what = `the rest of blob ${this.#wish.digest} in ${repository}`;
      return networkFault(this.#subject, registry, error, what);
    }
    return new MoteError(
      "MOTE_SIZE_MISMATCH",
      `${placeOf(this.#subject)} has cut off ${this.#wish.digest} again and again, the last time after ${at} of ${this.info.size} bytes; try again later`,
      { details: { ...this.#subject, expected: this.info.size, actual: at, resumable: true }, cause: error },
    );
  }

  #fault(code: MoteErrorCode, message: string, details: object): MoteError {
    return blobFault(this.#subject, this.#wish, code, message, details);
  }

  #assertOpen(): void {
    if (this.#state === "closed") throw new MoteError("MOTE_CLOSED", `the reader of ${this.#wish.digest} is closed`);
  }
}

/** One answer's part of the blob, from the wanted offset on. */
class Piece implements AsyncIterable<Uint8Array> {
  /** Of the whole blob. */
  readonly size: number;
  /** For `If-Range`: what names this very content. */
  readonly validator: string | undefined;
  readonly #answer: RegistryAnswer;
  readonly #skip: number;
  readonly #limit: number;

  private constructor(answer: RegistryAnswer, size: number, skip: number, limit: number) {
    this.#answer = answer;
    this.size = size;
    this.#skip = skip;
    this.#limit = limit;
    const etag = answer.header("etag");
    // RFC 9110, section 13.1.5: only a strong validator will do.
    this.validator = etag?.startsWith('"') ? etag : undefined;
  }

  static async open(
    subject: Subject,
    wish: BlobWish,
    request: BlobRequest,
    offset: number,
    validator: string | undefined,
  ): Promise<Piece> {
    const ranged = offset > 0 || wish.end !== undefined;
    const last = wish.end === undefined ? "" : String(wish.end - 1);
    const answer = await request({
      ...(ranged ? { range: `bytes=${offset}-${last}` } : {}),
      ...(offset > 0 && validator !== undefined ? { "if-range": validator } : {}),
    });
    try {
      const { size, skip } = measure(subject, wish, answer, offset);
      // Without an end, an excess must be seen by who counts.
      const limit = wish.end === undefined ? Number.POSITIVE_INFINITY : Math.min(wish.end, size) - offset;
      return new Piece(answer, size, skip, limit);
    } catch (error) {
      answer.discard();
      throw error;
    }
  }

  discard(): void {
    this.#answer.discard();
  }

  /** What a source without ranges sends besides is let go: what precedes the offset, and what follows the wanted end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let skip = this.#skip;
    let left = this.#limit;
    for await (const chunk of this.#answer.body) {
      const from = Math.min(skip, chunk.byteLength);
      skip -= from;
      const wanted = chunk.subarray(from, from + left);
      left -= wanted.byteLength;
      if (wanted.byteLength > 0) yield wanted;
      if (left === 0) return;
    }
  }
}

/** How large the blob is by its answer, and how much of the body precedes the offset. */
function measure(
  subject: Subject,
  wish: BlobWish,
  answer: RegistryAnswer,
  offset: number,
): { readonly size: number; readonly skip: number } {
  assertPlain(answer, subject);
  const length = byteCount(answer.header("content-length"));
  if (answer.status === 416) {
    throw blobFault(subject, wish, "MOTE_SIZE_MISMATCH", `it has no bytes from ${offset} on`, {
      expected: wish.size,
      actual: byteCount(/\/(\d+)$/.exec(answer.header("content-range") ?? "")?.[1]),
    });
  }
  if (answer.status !== 206) {
    const size = wish.size ?? length;
    if (size === undefined) throw protocolFault(subject, `it does not say how large ${wish.digest} is`);
    checkSize(subject, wish, length ?? size);
    return { size, skip: offset };
  }
  // RFC 9110, section 14.4.
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.header("content-range") ?? "");
  const [, first, last, total] = range ?? [];
  const size = byteCount(total) ?? wish.size;
  if (size === undefined || Number(first) !== offset) {
    throw protocolFault(subject, `asked for ${wish.digest} from byte ${offset} on, it sent another range`, {
      range: answer.header("content-range"),
    });
  }
  checkSize(subject, wish, size);
  const end = Math.min(wish.end ?? size, size);
  if (Number(last) !== end - 1 || (length !== undefined && length !== end - offset)) {
    throw blobFault(
      subject,
      wish,
      "MOTE_SIZE_MISMATCH",
      `of its bytes ${offset} to ${end}, fewer or more were announced`,
      { expected: end - offset, actual: length ?? Number(last) + 1 - offset },
    );
  }
  return { size, skip: 0 };
}

function checkSize(subject: Subject, wish: BlobWish, announced: number): void {
  if (wish.size === undefined || announced === wish.size) return;
  throw blobFault(
    subject,
    wish,
    "MOTE_SIZE_MISMATCH",
    `it should have ${wish.size} bytes, and the registry announces ${announced}`,
    { expected: wish.size, actual: announced },
  );
}

function byteCount(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}

function blobFault(
  subject: Subject,
  wish: BlobWish,
  code: MoteErrorCode,
  message: string,
  details: object = {},
): MoteError {
  return new MoteError(wish.damage ? "MOTE_CORRUPT" : code, `${wish.digest} from ${placeOf(subject)}: ${message}`, {
    details: { ...subject, ...details },
  });
}
