import { decoded, namedCodings } from "../http/content-coding.js";
import type { RegistryResponse } from "../registry-request.js";
import { protocolError } from "../reports/protocol-error.js";
import type { Subject } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { type BlobRequest, blobError, requestBlob } from "./blob-request.js";

/** Where to continue reading a blob, and what is known from earlier responses. */
export interface RangeStart {
  readonly offset: number;
  /** Of the complete blob, in bytes; undefined if it is not known yet. */
  readonly size: number | undefined;
  /** What an earlier response names its content by. */
  readonly validator: string | undefined;
  /** False after a response to a range request that was of no use: then the blob is read from its beginning, up to the offset in vain. */
  readonly takesRanges: boolean;
}

/** What one response has of a blob, from the offset on. */
export class BlobRange implements AsyncIterable<Uint8Array> {
  /** Of the complete blob. */
  readonly size: number;
  /** The byte after the last one that the response announces. */
  readonly end: number;
  readonly takesRanges: boolean;
  /** For `If-Range`: what names this very content. */
  readonly validator: string | undefined;
  readonly #response: RegistryResponse;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #skip: number;
  readonly #limit: number;

  private constructor(response: RegistryResponse, measured: Measured, limit: number, takesRanges: boolean) {
    this.#response = response;
    this.#body = measured.codings.length === 0 ? response.body : decoded(response.body, measured.codings);
    this.size = measured.size;
    this.end = measured.end;
    this.#skip = measured.skip;
    this.#limit = limit;
    // A range of a coded body is counted in its coded bytes.
    this.takesRanges = takesRanges && measured.codings.length === 0;
    const etag = response.header("etag");
    // RFC 9110, section 13.1.5: only a strong validator will do.
    this.validator = etag?.startsWith('"') ? etag : undefined;
  }

  /** @throws MOTE_NOT_FOUND · MOTE_SIZE_MISMATCH · MOTE_REGISTRY */
  static async open(api: RepositoryApi, request: BlobRequest, from: RangeStart): Promise<BlobRange> {
    const { offset, size, validator } = from;
    const subject = api.subject({ digest: request.digest });
    const end = request.end ?? size;
    const isRanged = from.takesRanges && (offset > 0 || request.end !== undefined);
    if (isRanged) {
      // Some servers respond with 416 to a range without an end.
      const range = { range: `bytes=${offset}-${end === undefined ? "" : end - 1}` };
      const isConditional = offset > 0 && validator !== undefined;
      const headers = { ...range, ...(isConditional ? { "if-range": validator } : {}) };
      const response = await requestBlob(api, request, headers);
      const found = BlobRange.#of(subject, request, from, response);
      if (found !== undefined) return found;
      response.discard();
    }
    const complete = { ...from, takesRanges: !isRanged && from.takesRanges };
    const response = await requestBlob(api, request, {});
    const found = BlobRange.#of(subject, request, complete, response);
    if (found !== undefined) return found;
    response.discard();
    if (response.status === 416) {
      throw blobError(subject, request, "MOTE_SIZE_MISMATCH", `it has no bytes from ${offset} on`, { expected: size });
    }
    throw protocolError(subject, `it sent another range than all of ${request.digest}`, {
      range: response.header("content-range"),
    });
  }

  /** Undefined for a response that does not have the bytes from the offset on. */
  static #of(
    subject: Subject,
    request: BlobRequest,
    from: RangeStart,
    response: RegistryResponse,
  ): BlobRange | undefined {
    try {
      const measured = measure(subject, request, from, response);
      if (measured === undefined) return undefined;
      // Without an end, an excess must be noticed by the reader.
      const isOpenEnded = request.end === undefined && measured.end === measured.size;
      const limit = isOpenEnded
        ? Number.POSITIVE_INFINITY
        : Math.min(request.end ?? measured.end, measured.end) - from.offset;
      return new BlobRange(response, measured, limit, from.takesRanges);
    } catch (error) {
      response.discard();
      throw error;
    }
  }

  discard(): void {
    this.#response.discard();
  }

  /** Drops what precedes the offset, and what follows the requested end. */
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
  request: BlobRequest,
  { offset, size: known }: RangeStart,
  response: RegistryResponse,
): Measured | undefined {
  const length = byteCount(response.header("content-length"));
  const contentRange = response.header("content-range") ?? "";
  if (response.status === 416) {
    const total = byteCount(/\/(\d+)$/.exec(contentRange)?.[1]);
    if (total !== undefined) checkSize(subject, request, known, total);
    return undefined;
  }
  if (response.status === 206) {
    // RFC 9110, section 14.4.
    const [, first, last, total] = /^bytes[ =](\d+)-(\d+)\/(\d+|\*)$/i.exec(contentRange.trim()) ?? [];
    const size = byteCount(total) ?? known;
    if (size === undefined || first === undefined) return undefined;
    checkSize(subject, request, known, size);
    const [start, end] = [Number(first), Number(last) + 1];
    const isUseful = start <= offset && offset < end && end <= size && (length === undefined || length === end - start);
    return isUseful ? { size, skip: offset - start, end, codings: [] } : undefined;
  }
  const size = known ?? length;
  if (size === undefined) throw protocolError(subject, `it does not say how large ${request.digest} is`);
  const codings = codingsOf(response, request, size, length);
  if (codings.length === 0) checkSize(subject, request, known, length ?? size);
  return { size, skip: offset, end: size, codings };
}

/** The codings that the body is in: a label counts only where the bytes without it would not be the blob. */
function codingsOf(
  response: RegistryResponse,
  request: BlobRequest,
  size: number,
  length: number | undefined,
): readonly string[] {
  const codings = namedCodings(response);
  if (codings.length === 0 || length === size) return [];
  if (length !== undefined) return codings;
  // Documents and plain archives do not begin as a coded body does, so that one that does is coded. For others it is unknown.
  const isCoded = request.isCoded ?? /[/.+](?:json|tar)$/.test(request.mediaType);
  request.onDoubt?.(isCoded);
  return isCoded ? codings : [];
}

function checkSize(subject: Subject, request: BlobRequest, expected: number | undefined, announced: number): void {
  if (expected === undefined || announced === expected) return;
  throw blobError(
    subject,
    request,
    "MOTE_SIZE_MISMATCH",
    `expected ${expected} bytes, but the registry announces ${announced}`,
    { expected, actual: announced },
  );
}

function byteCount(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}
