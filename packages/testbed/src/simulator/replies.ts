import type { Reply, SimulatedRequest } from "./behaviour.js";

/** distribution-spec, "Error Codes". */
export function errorReply(status: number, code: string, message = code.toLowerCase().replaceAll("_", " ")): Reply {
  return jsonReply(status, { errors: [{ code, message }] });
}

export function jsonReply(status: number, body: unknown, headers: Reply["headers"] = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** Returns the reply with these headers added. Undefined omits a header. */
export function withHeaders(reply: Reply, headers: NonNullable<Reply["headers"]>): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

/** Responds with the bytes, or with the range that `Range` requests (RFC 9110, section 14). */
export function bytesReply(request: SimulatedRequest, bytes: Uint8Array, headers: Reply["headers"] = {}): Reply {
  const common = { "content-type": "application/octet-stream", "accept-ranges": "bytes", ...headers };
  const { range } = request.headers;
  const [, first = "", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === "") return { status: 200, headers: common, body: bytes };
  const start = Number(first);
  if (start >= bytes.byteLength) {
    return { ...errorReply(416, "RANGE_INVALID"), headers: { "content-range": `bytes */${bytes.byteLength}` } };
  }
  const end = Math.min(last === "" ? bytes.byteLength : Number(last) + 1, bytes.byteLength);
  const contentRange = `bytes ${start}-${end - 1}/${bytes.byteLength}`;
  return { status: 206, headers: { ...common, "content-range": contentRange }, body: bytes.subarray(start, end) };
}
