import type { RangeAgreement } from "@mote/core";
import { decoded, namedCodings } from "../http/content-coding.js";
import { longestMs } from "../http/http-transport.js";
import type { RegistryResponse } from "../registry-request.js";
import { protocolError } from "../reports/protocol-error.js";
import type { Subject } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { type BlobRequest, blobError, requestBlob } from "./blob-request.js";

/** The offset to continue at, and the state from earlier responses. */
export interface RangeStart {
  readonly offset: number;
  /** Of the complete blob, in bytes; undefined if it is not known yet. */
  readonly size: number | undefined;
  /** The validator of an earlier response. */
  readonly validator: string | undefined;
  /** False if the server does not support ranges: then the blob is read from its beginning, and bytes before the offset are dropped. */
  readonly takesRanges: boolean;
}

/** The bytes in one response, from the offset on. */
export class BlobRange implements AsyncIterable<Uint8Array> {
  /** Of the complete blob. */
  readonly size: number;
  /** The end of the announced bytes, exclusive. */
  readonly end: number;
  readonly takesRanges: boolean;
  /** A strong validator for `If-Range`. */
  readonly validator: string | undefined;
  readonly #response: RegistryResponse;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #skip: number;
  readonly #limit: number;
  /** Whether the body ends with the last wanted byte: reading it to its end leaves the connection usable. */
  readonly #isExact: boolean;

  private constructor(
    response: RegistryResponse,
    measured: Measured,
    { limit, isExact }: { readonly limit: number; readonly isExact: boolean },
    takesRanges: boolean,
  ) {
    this.#response = response;
    this.#body = measured.codings.length === 0 ? response.body : decoded(response.body, measured.codings);
    this.size = measured.size;
    this.end = measured.end;
    this.#skip = measured.skip;
    this.#limit = limit;
    this.#isExact = isExact;
    // A range of an encoded body counts encoded bytes.
    this.takesRanges = takesRanges && measured.codings.length === 0;
    const etag = response.header("etag");
    // RFC 9110, section 13.1.5: requires a strong validator.
    this.validator = etag?.startsWith('"') ? etag : undefined;
  }

  /** @throws MOTE_NOT_FOUND · MOTE_SIZE_MISMATCH · MOTE_REGISTRY */
  static async open(api: RepositoryApi, request: BlobRequest, from: RangeStart): Promise<BlobRange> {
    const { offset, size, validator } = from;
    const subject = api.subject({ digest: request.digest });
    const end = request.end ?? size;
    if (request.ranges !== undefined && request.end !== undefined) {
      return BlobRange.#agreed(api, { ...request, end: request.end }, from, request.ranges);
    }
    const isRanged = from.takesRanges && (offset > 0 || request.end !== undefined);
    if (isRanged) {
      const response = await requestBlob(api, request, rangeHeaders(offset, end, offset > 0 ? validator : undefined));
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

  /** Opens one of several ranges. The first response may also be whole. @throws MOTE_RANGE_REFUSED */
  static async #agreed(
    api: RepositoryApi,
    request: BlobRequest & { readonly end: number },
    from: RangeStart,
    agreement: RangeAgreement,
  ): Promise<BlobRange> {
    const { offset } = from;
    const subject = api.subject({ digest: request.digest });
    const response = await requestBlob(api, request, rangeHeaders(offset, request.end, agreement.validator));
    const mayBeWhole = !agreement.hasResponse && response.status === 200;
    const found = BlobRange.#of(subject, mayBeWhole ? { ...request, end: undefined } : request, from, response);
    const isRange = response.status === 206 && found !== undefined && found.#skip === 0;
    const isSame = [undefined, agreement.validator].includes(found?.validator) || !agreement.hasResponse;
    if (found !== undefined && (mayBeWhole || (isRange && isSame))) {
      if (!agreement.hasResponse) Object.assign(agreement, { validator: found.validator, isWhole: mayBeWhole });
      agreement.hasResponse = true;
      return found;
    }
    response.discard();
    const reason = isRange ? "the blob has changed there" : `the response was ${response.status}`;
    const message = `bytes ${offset} to ${request.end} were refused: ${reason}`;
    throw blobError(subject, request, "MOTE_RANGE_REFUSED", message, { status: response.status });
  }

  /** Returns undefined if the response lacks the bytes from the offset on. */
  static #of(
    subject: Subject,
    request: BlobRequest,
    from: RangeStart,
    response: RegistryResponse,
  ): BlobRange | undefined {
    try {
      const measured = measure(subject, request, from, response);
      if (measured === undefined) return undefined;
      // Without an end, the reader must detect excess bytes.
      const isOpenEnded = request.end === undefined && measured.end === measured.size;
      const limit = isOpenEnded
        ? Number.POSITIVE_INFINITY
        : Math.min(request.end ?? measured.end, measured.end) - from.offset;
      const isExact = measured.end - from.offset === limit && response.header("content-length") !== undefined;
      return new BlobRange(response, measured, { limit, isExact }, from.takesRanges);
    } catch (error) {
      response.discard();
      throw error;
    }
  }

  discard(): void {
    this.#response.discard();
  }

  /** Returns the complete blob if it is small and all of it is in this response; its chunks are not read then. */
  async complete(): Promise<Uint8Array | undefined> {
    const { status, body, complete } = this.#response;
    const isComplete = status === 200 && this.#skip === 0 && this.end === this.size && this.#body === body;
    return isComplete ? complete?.(longestMs) : undefined;
  }

  /** Drops bytes before the offset and after the requested end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let skip = this.#skip;
    let left = this.#limit;
    for await (const chunk of this.#body) {
      const from = Math.min(skip, chunk.byteLength);
      skip -= from;
      const wanted = chunk.subarray(from, from + left);
      left -= wanted.byteLength;
      if (wanted.byteLength > 0) yield wanted;
      if (left === 0 && !this.#isExact) return;
    }
  }
}

function rangeHeaders(start: number, end: number | undefined, validator: string | undefined): Record<string, string> {
  // Some servers send 416 for a range without an end.
  const range = `bytes=${start}-${end === undefined ? "" : end - 1}`;
  return validator === undefined ? { range } : { range, "if-range": validator };
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

/** Returns the body's codings: ignores the label if the bytes are the blob without it. */
function codingsOf(
  response: RegistryResponse,
  request: BlobRequest,
  size: number,
  length: number | undefined,
): readonly string[] {
  const codings = namedCodings(response);
  if (codings.length === 0 || length === size) return [];
  if (length !== undefined) return codings;
  // Documents and plain archives never begin like an encoded body, so decoding is safe.
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
