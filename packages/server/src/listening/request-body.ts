import type { IncomingMessage, ServerResponse } from "node:http";
import { MoteError, within } from "@mote/core";

/** Bytes of a body that are read although the request is answered without them, so that the connection stays usable. */
const maxSkippedBytes = 1024 * 1024;
/** Bytes and milliseconds for which a longer body is read after the response was sent. */
const maxLingerBytes = 64 * 1024 * 1024;
const maxLingerMs = 5_000;
/** The slowest rate at which a client may send, in bytes per second. */
const minRate = 1024;

export interface BodyLimits {
  /** How long a client may send nothing, in milliseconds. */
  readonly idleMs: number;
  /** Called with the number of bytes of each chunk. */
  readonly onReceived: (bytes: number) => void;
}

/** The body of a request, which is read only if the response needs it. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #limits: BodyLimits;
  #isStarted = false;

  constructor(request: IncomingMessage, response: ServerResponse, limits: BodyLimits) {
    this.#request = request;
    this.#response = response;
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    const { headers } = this.#request;
    return headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
  }

  /** Yields the body. @throws MOTE_TIMEOUT if the client sends nothing, or too little, for a long time */
  async *read(): AsyncGenerator<Uint8Array> {
    this.#isStarted = true;
    if (this.#request.headers.expect !== undefined) this.#response.writeContinue();
    // The connection is needed for the response, whatever happens to the body.
    const chunks = this.#request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const { idleMs, onReceived } = this.#limits;
    let [waitedMs, received] = [0, 0];
    for (;;) {
      const startedMs = performance.now();
      const next = await within(chunks.next(), idleMs, tooSlow);
      if (next.done) return;
      // Only waiting counts: the disk may be slower than the client.
      waitedMs += performance.now() - startedMs;
      received += next.value.byteLength;
      onReceived(next.value.byteLength);
      if (waitedMs >= idleMs) {
        if (received < (minRate * waitedMs) / 1000) throw tooSlow();
        [waitedMs, received] = [0, 0];
      }
      yield next.value;
    }
  }

  /** Reads what is left of a short body. Returns whether nothing is left. */
  async skip(): Promise<boolean> {
    const { headers } = this.#request;
    if (this.isEmpty || this.#request.readableEnded) return true;
    const isShort = Number(headers["content-length"] ?? Number.POSITIVE_INFINITY) <= maxSkippedBytes;
    if (!isShort || !this.#isComing) return false;
    try {
      for await (const _ of this.read());
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Reads what the client still sends after the response was written, for a while: closing a connection with unread bytes resets it, and most
   * clients then report that instead of the response.
   */
  async linger(): Promise<void> {
    if (this.isEmpty || this.#request.readableEnded || !this.#isComing) return;
    const endMs = performance.now() + maxLingerMs;
    let left = maxLingerBytes;
    const chunks = this.#request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      while (left > 0) {
        const next = await within(chunks.next(), Math.max(0, endMs - performance.now()), tooSlow);
        if (next.done) return;
        left -= next.value.byteLength;
      }
    } catch {
      // The client has gone, or has had time enough.
    }
  }

  /** Whether the client sends the body. That of a GET has no meaning; it may be a request that is hidden from a proxy. */
  get #isComing(): boolean {
    const { headers, method } = this.#request;
    return method !== "GET" && method !== "HEAD" && (this.#isStarted || headers.expect === undefined);
  }
}

function tooSlow(): MoteError {
  return new MoteError("MOTE_TIMEOUT", "the client sent nothing, or too slowly");
}
