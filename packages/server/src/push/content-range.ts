import { ErrorResponse, type RequestContext } from "../routing/response.js";

/** What a client says about the bytes that it sends. */
export interface DeclaredBytes {
  /** The offset of the first byte, if it is given. */
  readonly offset: number | undefined;
  /** The number of bytes, if it is given. */
  readonly length: number | undefined;
  /** Whether the request has a body. */
  readonly hasBody: boolean;
}

/** Reads `Content-Range` (distribution-spec, "Pushing a blob in chunks"; or as in RFC 9110) and `Content-Length`. @throws ErrorResponse 400 */
export function declaredBytes(request: RequestContext): DeclaredBytes {
  const contentLength = request.header("content-length");
  const length = contentLength === undefined ? undefined : Number(contentLength);
  const hasBody = request.header("transfer-encoding") !== undefined || (length !== undefined && length > 0);
  const range = request.header("content-range");
  if (range === undefined) return { offset: undefined, length, hasBody };
  const [, first, last] = /^(?:bytes[ =])?(\d{1,16})-(\d{1,16})(?:\/(?:\d{1,16}|\*))?$/.exec(range.trim()) ?? [];
  const [offset, end] = [Number(first), Number(last) + 1];
  if (first === undefined || !(end >= offset)) {
    throw new ErrorResponse(400, "BLOB_UPLOAD_INVALID", "Content-Range is not valid; use FIRST-LAST, such as 0-1023");
  }
  if (length !== undefined && hasBody && length !== end - offset) {
    throw new ErrorResponse(400, "SIZE_INVALID", "Content-Range and Content-Length have different lengths");
  }
  return { offset, length: hasBody ? end - offset : length, hasBody };
}
