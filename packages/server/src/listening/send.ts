import { once } from "node:events";
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
        const drained = response.write(chunk) ? undefined : once(response, "drain", { signal });
        if (pause !== undefined || drained !== undefined) await Promise.all([pause, drained]);
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
