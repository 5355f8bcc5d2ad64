import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiResponse } from "./response.js";

/** Writes a response as fast as the client reads it. */
export async function send(
  { status, headers, body }: ApiResponse,
  request: IncomingMessage,
  response: ServerResponse,
  { signal, count }: { readonly signal: AbortSignal; readonly count: (bytes: number) => void },
): Promise<void> {
  try {
    signal.throwIfAborted();
    response.writeHead(status, mayKeepAlive(request, status) ? headers : { ...headers, connection: "close" });
    if (body instanceof Uint8Array) {
      count(body.byteLength);
      response.write(body);
    } else if (body !== undefined) {
      for await (const chunk of body.chunks) {
        signal.throwIfAborted();
        count(chunk.byteLength);
        if (!response.write(chunk)) await once(response, "drain", { signal });
      }
    }
    response.end();
  } finally {
    if (body !== undefined && !(body instanceof Uint8Array)) await body.close();
  }
}

/** Returns whether the connection can be reused, which it cannot after a request with a body, because the body is not read. */
function mayKeepAlive({ headers }: IncomingMessage, status: number): boolean {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
  return !hasBody && status !== 405 && status !== 503;
}
