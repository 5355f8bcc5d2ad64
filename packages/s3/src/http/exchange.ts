import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { MoteError } from "@mote/core";

/** The content of a request. A stream can be read more than once: each attempt opens it again. */
export type Payload = { readonly bytes: Uint8Array } | { readonly size: number; open(): AsyncIterable<Uint8Array> };

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload?: Payload | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  header(name: string): string | undefined;
  /** Yields the body once. @throws an error with the code of the system call, if the connection fails */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets the connection be used again, or ends it if a long body was not read. */
  discard(): void;
}

/** Returns the time in a header, in Unix milliseconds; undefined if it is absent or not a date. */
export function headerTimeMs(response: Pick<HttpResponse, "header">, name: string): number | undefined {
  const atMs = Date.parse(response.header(name) ?? "");
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** An error in the content of a request, for example a file that cannot be read. The request is not repeated. */
export class PayloadError extends Error {
  constructor(cause: unknown) {
    super("the content of the request cannot be read", { cause });
  }
}

const maxSockets = 256;
/** So that a burst of look-ups finds the connections of the last one. */
const maxFreeSockets = 100;
/** Bytes of a body that are read ahead for each connection, and arrive as one chunk: fewer chunks cost less. */
const readAheadBytes = 512 * 1024;
/** To read so many bytes takes less than to open another connection. */
const shortBytes = 64 * 1024;

/** Sends single requests over connections that are kept alive. */
export class Connections {
  readonly #idleMs: number;
  readonly #http: http.Agent;
  readonly #https: https.Agent;

  /** @param idleMs how long a connection may be silent while a request is sent or a response awaited */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
    const options = {
      ...{ keepAlive: true, maxSockets, maxFreeSockets, scheduling: "lifo" as const },
      readableHighWaterMark: readAheadBytes,
    };
    this.#http = new http.Agent(options);
    this.#https = new https.Agent(options);
  }

  /** Sends a request. Resolves when the head of the response has arrived, even if the content is not sent completely. */
  exchange(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, headers, payload, signal } = request;
    signal?.throwIfAborted();
    const isTls = url.protocol === "https:";
    const length = payload === undefined ? undefined : "bytes" in payload ? payload.bytes.byteLength : payload.size;
    const sent: ClientRequest = (isTls ? https : http).request(url, {
      method,
      headers: { ...headers, ...(length === undefined ? {} : { "content-length": String(length) }) },
      agent: isTls ? this.#https : this.#http,
      ...(signal === undefined ? {} : { signal }),
    });
    return new Promise((resolve, reject) => {
      let response: IncomingMessage | undefined;
      sent.setTimeout(this.#idleMs, () => {
        if (response === undefined) sent.destroy(silent(this.#idleMs));
      });
      sent.once("response", (message) => {
        response = message;
        resolve(new Response(message, sent, this.#idleMs, signal));
      });
      // After the response, the error belongs to its body.
      sent.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
      sendContent(sent, payload, () => response !== undefined).catch((error: unknown) => {
        if (response !== undefined) return;
        reject(signal?.aborted ? signal.reason : error);
        sent.destroy();
      });
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

async function sendContent(
  sent: ClientRequest,
  payload: Payload | undefined,
  hasResponse: () => boolean,
): Promise<void> {
  if (payload === undefined || "bytes" in payload) {
    sent.end(payload?.bytes);
    return;
  }
  const chunks = payload.open()[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw new PayloadError(cause);
      });
      // A server that has refused the request reads no further.
      if (next.done || hasResponse() || sent.destroyed) break;
      if (!sent.write(next.value)) await drained(sent);
    }
    if (hasResponse()) sent.destroy();
    else sent.end();
  } finally {
    await chunks.return?.();
  }
}

function drained(sent: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ["drain", "close", "response"]) sent.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close", "response"]) sent.once(event, done);
  });
}

class Response implements HttpResponse {
  readonly status: number;
  readonly #message: IncomingMessage;
  readonly #sent: ClientRequest;
  readonly #idleMs: number;
  readonly #signal: AbortSignal | undefined;

  constructor(message: IncomingMessage, sent: ClientRequest, idleMs: number, signal: AbortSignal | undefined) {
    this.status = message.statusCode ?? 0;
    this.#message = message;
    this.#sent = sent;
    this.#idleMs = idleMs;
    this.#signal = signal;
    // Without a reader, an error has no other listener.
    message.on("error", () => {});
  }

  header(name: string): string | undefined {
    const value = this.#message.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#chunks();
  }

  discard(): void {
    const message = this.#message;
    if (message.readableEnded || message.destroyed) return;
    if (!this.#isShort) {
      message.destroy();
      return;
    }
    const timer = setTimeout(() => message.destroy(), this.#idleMs).unref();
    message.once("close", () => clearTimeout(timer)).resume();
  }

  /** Whether it has no body or a short one, and the request was sent completely. */
  get #isShort(): boolean {
    if (!this.#sent.writableFinished) return false;
    return (
      this.#sent.method === "HEAD" ||
      this.status === 204 ||
      Number(this.header("content-length") ?? Infinity) <= shortBytes
    );
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const message = this.#message;
    // A reader that takes its time is not a silent server.
    let isWaiting = true;
    const timer = setTimeout(() => {
      if (isWaiting) message.destroy(silent(this.#idleMs));
      else timer.refresh();
    }, this.#idleMs);
    timer.unref();
    try {
      for await (const chunk of message) {
        isWaiting = false;
        yield chunk;
        isWaiting = true;
        timer.refresh();
      }
    } catch (error) {
      throw this.#signal?.aborted ? this.#signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function silent(idleMs: number): MoteError {
  return new MoteError("MOTE_TIMEOUT", `no bytes for ${Math.round(idleMs / 1000)} seconds`);
}
