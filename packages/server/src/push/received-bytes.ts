import { collectChunks, MoteError } from "@mote/core";
import { ErrorResponse, type RequestContext } from "../routing/response.js";

/** Yields the body of a request. @throws ErrorResponse 400 if it has another length than declared */
export async function* receivedBytes(request: RequestContext, length: number | undefined): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const chunk of request.body?.() ?? []) {
    received += chunk.byteLength;
    if (length !== undefined && received > length) throw wrongLength(length);
    yield chunk;
  }
  if (length !== undefined && received !== length) throw wrongLength(length);
}

/** Reads the body of a request into memory. @throws MOTE_TOO_LARGE */
export async function readBody(request: RequestContext, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.header("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  return await collectChunks(receivedBytes(request, undefined), { maxBytes, what: "the manifest" });
}

function wrongLength(length: number): ErrorResponse {
  return new ErrorResponse(400, "SIZE_INVALID", `the body does not have ${length} bytes, as the request says`);
}

function tooLarge(maxBytes: number): MoteError {
  return new MoteError("MOTE_TOO_LARGE", `the manifest has more than ${maxBytes} bytes`, {
    details: { limit: maxBytes },
  });
}
