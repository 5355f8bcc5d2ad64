import type { Duplex } from "node:stream";
import type { connect as connectTls } from "node:tls";
import { errorCode } from "@mote/core";
import { BulkConnection } from "./bulk-connection.js";
import {
  asError,
  completeBytes,
  cutError,
  type HttpRequest,
  type HttpResponse,
  keepAliveMs,
  type TransportOptions,
  worthReadingBytes,
} from "./http-transport.js";
import type { ResponseHead } from "./response-head.js";

/** For reads of manifests and blobs: a minimal HTTP client that avoids copies, and starts faster than node:http. */
export class BulkTransport {
  readonly #options: TransportOptions;
  readonly #resting = new Map<string, BulkConnection[]>();
  readonly #open = new Set<BulkConnection>();
  /** What was sent as a body without a length: the other client requests that directly, and reuses its connections. */
  readonly #declined = new Set<string>();
  #closed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /**
   * Returns undefined, without a request, if the origin is known to send such bodies without a length.
   * @param readOther reads a response of unknown body length, from the head on
   */
  async exchange(
    request: HttpRequest,
    readOther: (response: Duplex) => Promise<HttpResponse>,
  ): Promise<HttpResponse | undefined> {
    const { method, url, signal, headLimit } = request;
    if (this.#declined.has(kindOf(url))) return undefined;
    const head = requestHead(request);
    const secure = url.protocol === "https:" ? (await import("node:tls")).connect : undefined;
    for (;;) {
      signal?.throwIfAborted();
      const resting = this.#rested(url);
      const connection = resting ?? this.#connect(url, secure);
      if (resting === undefined) this.#connectSpares(connection, request, secure);
      const onAbort = () => connection.destroy(asError(signal?.reason));
      signal?.addEventListener("abort", onAbort, { once: true });
      headLimit?.onExceeded((error) => connection.destroy(error));
      const over = () => {
        signal?.removeEventListener("abort", onAbort);
      };
      try {
        const response = await connection.request(head, { hasBody: method !== "HEAD" });
        if (response !== undefined) return this.#response(request, connection, response, over);
        over();
        if (connection.isSuccess) this.#declined.add(kindOf(url));
        const replay = connection.replay();
        replay.once("close", () => this.#drop(connection));
        return readOther(replay);
      } catch (error) {
        over();
        this.#drop(connection);
        // The host may have closed it just as it was reused.
        if (resting === undefined || signal?.aborted || !isCut(error)) throw error;
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#open) this.#drop(connection);
  }

  #connect(url: URL, secure: typeof connectTls | undefined): BulkConnection {
    if (this.#closed) throw cutError("the connections are closed");
    const connection = new BulkConnection(url, this.#options, secure);
    this.#open.add(connection);
    return connection;
  }

  /** Not before the first connection is accepted, so that a host that cannot be reached is tried once. */
  #connectSpares(first: BulkConnection, { url, spares = 0 }: HttpRequest, secure: typeof connectTls | undefined): void {
    if (spares === 0) return;
    first.onConnected(() => {
      const wanted = spares - (this.#resting.get(url.origin)?.length ?? 0);
      for (let count = 0; count < wanted && !this.#closed; count++) this.#rest(url, this.#connect(url, secure));
    });
  }

  #drop(connection: BulkConnection): void {
    this.#open.delete(connection);
    connection.destroy(cutError("the connection is no longer needed"));
  }

  #rested(url: URL): BulkConnection | undefined {
    for (;;) {
      const connection = this.#resting.get(url.origin)?.pop();
      if (connection === undefined) return undefined;
      if (connection.isFree) {
        connection.wakeUp();
        return connection;
      }
      // The host sent more than its response, such as a body after a HEAD.
      this.#drop(connection);
    }
  }

  #rest(url: URL, connection: BulkConnection): void {
    const resting = this.#resting.get(url.origin) ?? [];
    this.#resting.set(url.origin, resting);
    resting.push(connection);
    connection.rest(keepAliveMs, () => {
      const at = resting.indexOf(connection);
      if (at >= 0) resting.splice(at, 1);
      this.#open.delete(connection);
    });
  }

  #response(
    { url, reuse = false }: HttpRequest,
    connection: BulkConnection,
    { status, headers, length, keepAlive }: ResponseHead,
    over: () => void,
  ): HttpResponse {
    const end = () => {
      over();
      if (keepAlive && connection.isFree && !this.#closed) this.#rest(url, connection);
      else this.#drop(connection);
    };
    let isOver = false;
    const endOnce = () => {
      if (!isOver) end();
      isOver = true;
    };
    let isRead = false;
    const readBody = async function* () {
      isRead = true;
      try {
        yield* connection.body(reuse);
      } finally {
        endOnce();
      }
    };
    const body = readBody();
    const discard = () => {
      // A short body is read, to use the connection again.
      if (isRead || length > worthReadingBytes || !keepAlive) endOnce();
      else readToEnd(body).catch(() => {});
    };
    const complete = async (limitMs: number) => {
      const bytes = await connection.complete(limitMs);
      if (bytes === undefined) return undefined;
      isRead = true;
      endOnce();
      return bytes;
    };
    const values = (name: string): readonly string[] => headers.get(name) ?? [];
    const destroy = (error: Error) => connection.destroy(error);
    const read = length > completeBytes ? { body } : { body, complete };
    return { status, header: (name) => values(name)[0], headers: values, ...read, discard, destroy };
  }
}

/** Returns the origin, and whether it is a manifest: a host may send only these in chunks. */
function kindOf({ origin, pathname }: URL): string {
  return /\/manifests\/[^/]+$/.test(pathname) ? `${origin} manifests` : origin;
}

async function readToEnd(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of chunks);
}

function requestHead({ method, url, headers }: HttpRequest): string {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`, "connection: keep-alive"];
  for (const [name, value] of Object.entries(headers)) {
    // RFC 9110, section 5.5. Anything else could end the header.
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new TypeError(`the header ${JSON.stringify(name)} contains characters that are not valid`);
    lines.push(`${name}: ${value}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function isCut(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE"].includes(errorCode(error) ?? "");
}
