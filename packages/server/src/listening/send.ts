import type { ServerResponse } from "node:http";
import type { ApiResponse } from "../routing/response.js";

interface SendOptions {
  readonly signal: AbortSignal;
  /** Whether the connection can be reused: not if the body of the request was not read. */
  readonly isReusable: boolean;
  /** Called when everything is written to a connection that cannot be reused. It is closed then. */
  readonly beforeClose: () => Promise<void>;
  /** Called with the bytes of each chunk. The next chunk waits for the result. */
  readonly sent: (bytes: number) => Promise<void> | undefined;
}

/** Writes a response as fast as the client reads it. */
export async function send(
  { status, headers, body }: ApiResponse,
  response: ServerResponse,
  { signal, sent, isReusable, beforeClose }: SendOptions,
): Promise<void> {
  try {
    signal.throwIfAborted();
    response.writeHead(status, isReusable ? headers : { ...headers, connection: "close" });
    if (body instanceof Uint8Array) {
      void sent(body.byteLength)?.catch(() => {});
      response.write(body);
    } else if (body !== undefined) {
      for await (const chunk of body.chunks) {
        signal.throwIfAborted();
        const pause = sent(chunk.byteLength);
        await Promise.all([pause, written(chunk, response, signal)]);
      }
    }
    if (!isReusable) {
      response.flushHeaders();
      await beforeClose();
    }
    response.end();
  } finally {
    if (body !== undefined && !(body instanceof Uint8Array)) await body.close();
  }
}

/** Writes a chunk. Resolves when its memory is no longer used. */
function written(chunk: Uint8Array, response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    response.write(chunk, (error) => {
      // The end of a broken connection aborts the signal.
      if (error) return;
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}
