import { MoteError, type MoteErrorCode } from "@mote/core";
import type { RegistryResponse } from "../client.js";
import { decoded, namedCodings } from "../http/content-coding.js";
import { placeOf, protocolError, type Subject } from "../http/errors.js";
import type { BlobRequest, BlobRequestOptions } from "./blob-reader.js";

/** From where on a blob is read, and what earlier responses have told. */
export interface RangeStart {
  readonly offset: number;
  /** Of the whole blob, in bytes; undefined if it is not known yet. */
  readonly size: number | undefined;
  /** What an earlier response names its content by. */
  readonly validator: string | undefined;
  /** False after a response to a range request that was of no use: then the blob is read from its beginning, up to the offset in vain. */
  readonly takesRanges: boolean;
}

/** What one response has of a blob, from the offset on. */
export class BlobRange implements AsyncIterable<Uint8Array> {
  /** Of the whole blob. */
  readonly size: number;
  /** The byte after the last one that the response announces. */
  readonly end: number;
  readonly takesRanges: boolean;
  /** For `If-Range`: what names this very content. */
  readonly validator: string | undefined;
  readonly #answer: RegistryResponse;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #skip: number;
  readonly #limit: number;

  private constructor(answer: RegistryResponse, measured: Measured, limit: number, takesRanges: boolean) {
    this.#answer = answer;
    this.#body = measured.codings.length === 0 ? answer.body : decoded(answer.body, measured.codings);
    this.size = measured.size;
    this.end = measured.end;
    this.#skip = measured.skip;
    this.#limit = limit;
    // A range of a coded body is counted in its coded bytes.
    this.takesRanges = takesRanges && measured.codings.length === 0;
    const etag = answer.header("etag");
    // RFC 9110, section 13.1.5: only a strong validator will do.
    this.validator = etag?.startsWith('"') ? etag : undefined;
  }

  static async open(
    subject: Subject,
    wish: BlobRequestOptions,
    request: BlobRequest,
    from: RangeStart,
  ): Promise<BlobRange> {
    const { offset, size, validator } = from;
    const end = wish.end ?? size;
    const isRanged = from.takesRanges && (offset > 0 || wish.end !== undefined);
    if (isRanged) {
      // Some servers answer 416 to a range without an end.
      const range = { range: `bytes=${offset}-${end === undefined ? "" : end - 1}` };
      const isConditional = offset > 0 && validator !== undefined;
      const answer = await request({ ...range, ...(isConditional ? { "if-range": validator } : {}) });
      const found = BlobRange.#of(subject, wish, from, answer);
      if (found !== undefined) return found;
      answer.discard();
    }
    const whole = { ...from, takesRanges: !isRanged && from.takesRanges };
    const answer = await request({});
    const found = BlobRange.#of(subject, wish, whole, answer);
    if (found !== undefined) return found;
    answer.discard();
    if (answer.status === 416) {
      throw blobError(subject, wish, "MOTE_SIZE_MISMATCH", `it has no bytes from ${offset} on`, { expected: size });
    }
    throw protocolError(subject, `asked for all of ${wish.digest}, it sent another range`, {
      range: answer.header("content-range"),
    });
  }

  /** Undefined for a response that does not have the bytes from the offset on. */
  static #of(
    subject: Subject,
    wish: BlobRequestOptions,
    from: RangeStart,
    answer: RegistryResponse,
  ): BlobRange | undefined {
    try {
      const measured = measure(subject, wish, from, answer);
      if (measured === undefined) return undefined;
      // Without an end, an excess must be seen by whoever counts.
      const isOpenEnded = wish.end === undefined && measured.end === measured.size;
      const limit = isOpenEnded
        ? Number.POSITIVE_INFINITY
        : Math.min(wish.end ?? measured.end, measured.end) - from.offset;
      return new BlobRange(answer, measured, limit, from.takesRanges);
    } catch (error) {
      answer.discard();
      throw error;
    }
  }

  discard(): void {
    this.#answer.discard();
  }

  /** What a response has besides is dropped: what precedes the offset, and what follows the end that is wanted. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let skip = this.#skip;
    let left = this.#limit;
    for await (const chunk of this.#body) {
      const from = Math.min(skip, chunk.byteLength);
      skip -= from;
      const wanted = chunk.subarray(from, from + left);
      left -= wanted.byteLength;
      if (wanted.byteLength > 0) yield wanted;
      if (left === 0) return;
    }
  }
}

interface Measured {
  readonly size: number;
  readonly skip: number;
  readonly end: number;
  readonly codings: readonly string[];
}

function measure(
  subject: Subject,
  wish: BlobRequestOptions,
  { offset, size: known }: RangeStart,
  answer: RegistryResponse,
): Measured | undefined {
  const length = byteCount(answer.header("content-length"));
  const contentRange = answer.header("content-range") ?? "";
  if (answer.status === 416) {
    const total = byteCount(/\/(\d+)$/.exec(contentRange)?.[1]);
    if (total !== undefined) checkSize(subject, wish, known, total);
    return undefined;
  }
  if (answer.status === 206) {
    // RFC 9110, section 14.4.
    const [, first, last, total] = /^bytes[ =](\d+)-(\d+)\/(\d+|\*)$/i.exec(contentRange.trim()) ?? [];
    const size = byteCount(total) ?? known;
    if (size === undefined || first === undefined) return undefined;
    checkSize(subject, wish, known, size);
    const [start, end] = [Number(first), Number(last) + 1];
    const isUseful = start <= offset && offset < end && end <= size && (length === undefined || length === end - start);
    return isUseful ? { size, skip: offset - start, end, codings: [] } : undefined;
  }
  const size = known ?? length;
  if (size === undefined) throw protocolError(subject, `it does not say how large ${wish.digest} is`);
  const codings = codingsOf(answer, wish, size, length);
  if (codings.length === 0) checkSize(subject, wish, known, length ?? size);
  return { size, skip: offset, end: size, codings };
}

/** The codings that the body is in: a label counts only where the bytes without it would not be the blob. */
function codingsOf(
  answer: RegistryResponse,
  wish: BlobRequestOptions,
  size: number,
  length: number | undefined,
): readonly string[] {
  const codings = namedCodings(answer);
  if (codings.length === 0 || length === size) return [];
  if (length !== undefined) return codings;
  // Documents and plain archives do not begin as a coded body does, so that one that does is coded. Of others nobody can tell.
  const isCoded = wish.isCoded ?? /[/.+](?:json|tar)$/.test(wish.mediaType);
  wish.onDoubt?.(isCoded);
  return isCoded ? codings : [];
}

function checkSize(subject: Subject, wish: BlobRequestOptions, expected: number | undefined, announced: number): void {
  if (expected === undefined || announced === expected) return;
  throw blobError(
    subject,
    wish,
    "MOTE_SIZE_MISMATCH",
    `it should have ${expected} bytes, and the registry announces ${announced}`,
    { expected, actual: announced },
  );
}

function byteCount(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}

export function blobError(
  subject: Subject,
  wish: BlobRequestOptions,
  code: MoteErrorCode,
  message: string,
  details: object = {},
): MoteError {
  return new MoteError(wish.damage ? "MOTE_CORRUPT" : code, `${wish.digest} from ${placeOf(subject)}: ${message}`, {
    details: { ...subject, ...details },
  });
}
