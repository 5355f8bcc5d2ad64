import { createHash } from "node:crypto";
import { type Cancellable, collectChunks, joinChunks, type MoteError } from "@mote/core";
import type { Credentials } from "../credentials/credentials.js";
import type { RefreshedCredentials } from "../credentials/refreshed-credentials.js";
import type { BucketAddress } from "./address.js";
import { Connections, type HttpResponse, headerTimeMs, type Payload, PayloadError } from "./exchange.js";
import { pause } from "./pause.js";
import { delayBefore, isNetworkError, isTransient, type RetryPolicy } from "./retry.js";
import {
  connectionError,
  type ErrorResponse,
  mayBeExpired,
  parseErrorResponse,
  responseError,
  unexpectedResponse,
} from "./s3-error.js";
import { Signer } from "./sign.js";

export interface S3Request extends Cancellable {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly payload?: Payload | undefined;
  /** The SHA-256 of the payload in hex. Default: computed from its bytes. */
  readonly sha256?: string | undefined;
  /** Completes "cannot …" in messages. */
  readonly what: string;
  /** Error statuses that the caller handles. A 404 is only handled if it says that an object or upload does not exist. */
  readonly accept?: readonly number[] | undefined;
}

/** A response that the caller handles. Read its body, or call `discard`. */
export interface S3Response extends HttpResponse {
  /** The server's time, in Unix milliseconds, to the second; its own clock if it sends none. */
  readonly dateMs: number;
  /** Reads the complete body. @throws MOTE_TOO_LARGE */
  bytes(maxBytes?: number): Promise<Uint8Array>;
  text(): Promise<string>;
}

export interface S3ClientSettings {
  readonly address: BucketAddress;
  readonly region: string;
  readonly credentials: RefreshedCredentials;
  readonly retries: RetryPolicy;
  /** How long a connection may be silent, in milliseconds. */
  readonly idleMs: number;
  readonly now: () => number;
}

/** Enough for a page of a listing, or a small object. */
const maxTextBytes = 8 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;
const emptySha256 = createHash("sha256").digest("hex");

/** Sends signed requests to one bucket, and repeats them after temporary errors. All requests that are sent may be repeated. */
export class S3Client {
  readonly #settings: S3ClientSettings;
  readonly #connections: Connections;
  readonly #signer: Signer;

  constructor(settings: S3ClientSettings) {
    this.#settings = settings;
    this.#connections = new Connections(settings.idleMs);
    this.#signer = new Signer(settings.region);
  }

  get address(): BucketAddress {
    return this.#settings.address;
  }

  /**
   * Sends a request. Resolves to a response with a status below 300, or one that the request accepts.
   * @throws MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_CONFIG · MOTE_RATE_LIMITED · MOTE_IO
   */
  async send(request: S3Request): Promise<S3Response> {
    const { retries, now, credentials } = this.#settings;
    const { signal } = request;
    const sha256 = request.sha256 ?? hashOf(request.payload);
    let hasRenewed = false;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const used = await credentials.get({ signal });
      let error: MoteError;
      let waitMs: number | undefined;
      try {
        const response = await this.#exchange(request, sha256, used);
        if (response.status < 300) {
          assertFromObject(response, request);
          return this.#handled(response);
        }
        const received = parseErrorResponse(response, await readError(response, request), now());
        if (isAccepted(received, request)) return this.#handled(response);
        const failure = await this.#explained(received, request, used);
        error = responseError(failure, this.#purpose(request), this.#where);
        if (mayBeExpired(failure) && !hasRenewed && credentials.reject(used)) {
          hasRenewed = true;
          continue;
        }
        if (isTransient(failure.status, failure.code))
          waitMs = delayBefore(retries, attempt, response.header("retry-after"), now());
      } catch (cause) {
        if (cause instanceof PayloadError) throw cause.cause;
        signal?.throwIfAborted();
        if (!isNetworkError(cause)) throw cause;
        error = connectionError(cause, this.#purpose(request), this.#where);
        waitMs = delayBefore(retries, attempt);
      }
      if (waitMs === undefined) throw error;
      await pause(waitMs, signal);
    }
  }

  /** Opens a response and reads it, and repeats both if the connection fails while it is read. */
  async openAndRead<Opened, Body>(
    open: () => Promise<Opened>,
    read: (opened: Opened) => Promise<Body>,
    { what, signal }: Pick<S3Request, "what" | "signal">,
  ): Promise<Body> {
    for (let attempt = 1; ; attempt++) {
      const opened = await open();
      try {
        return await read(opened);
      } catch (cause) {
        signal?.throwIfAborted();
        const error = this.bodyError(cause, what);
        if (error === cause || !(await this.backOff(attempt, signal))) throw error;
      }
    }
  }

  /** Waits as before a retry. Returns false if there are no more attempts. */
  async backOff(attempt: number, signal: AbortSignal | undefined): Promise<boolean> {
    const waitMs = delayBefore(this.#settings.retries, attempt);
    if (waitMs !== undefined) await pause(waitMs, signal);
    return waitMs !== undefined;
  }

  /** Returns the error for a connection that failed while a body was read; other errors are returned unchanged. */
  bodyError(cause: unknown, what: string): unknown {
    if (!isNetworkError(cause)) return cause;
    return connectionError(cause, { what, writes: false }, this.#where);
  }

  get #where() {
    const { address, region } = this.#settings;
    return { bucket: address.bucket, endpoint: address.endpoint, region };
  }

  #purpose({ what, method }: S3Request) {
    return { what, writes: method !== "GET" && method !== "HEAD" };
  }

  async #exchange(request: S3Request, sha256: string, credentials: Credentials): Promise<HttpResponse> {
    const { method, key, query, payload, signal } = request;
    const url = this.#settings.address.url(key, query);
    const unsigned = { ...request.headers, "x-amz-content-sha256": sha256 };
    const headers = await this.#signer.sign(
      { method, url, headers: unsigned, nowMs: this.#settings.now() },
      credentials,
    );
    return await this.#connections.exchange({ method, url, headers, payload, signal });
  }

  #handled(response: HttpResponse): S3Response {
    const bytes = (maxBytes = maxTextBytes) => collectChunks(response.body, { maxBytes, what: "the response" });
    return {
      status: response.status,
      dateMs: headerTimeMs(response, "date") ?? this.#settings.now(),
      header: (name) => response.header(name),
      body: response.body,
      discard: () => response.discard(),
      bytes,
      text: async () => new TextDecoder().decode(await bytes()),
    };
  }

  /** HEAD has no body: a GET of the first byte says why it fails. */
  async #explained(received: ErrorResponse, request: S3Request, credentials: Credentials): Promise<ErrorResponse> {
    if (request.method !== "HEAD" || isTransient(received.status, undefined)) return received;
    const again = { ...request, method: "GET" as const, headers: { range: "bytes=0-0" } };
    const response = await this.#exchange(again, emptySha256, credentials).catch(() => undefined);
    if (response === undefined) return received;
    const text = await readError(response, again);
    return response.status >= 300 ? parseErrorResponse(response, text, this.#settings.now()) : received;
  }
}

/** Returns whether the caller handles an error response. Not every 404 says that an object does not exist. */
function isAccepted({ status, code = "" }: ErrorResponse, { method, accept }: S3Request): boolean {
  if (accept?.includes(status) !== true) return false;
  return status !== 404 || method === "HEAD" || code === "NoSuchKey" || code === "NoSuchUpload";
}

/** Checks that a successful response is S3's: every response about an object has an ETag, the page of a proxy has none. */
function assertFromObject(response: HttpResponse, { method, key, headers, what }: S3Request): void {
  const isCopy = headers?.["x-amz-copy-source"] !== undefined;
  if (key === "" || isCopy || !["GET", "HEAD", "PUT"].includes(method)) return;
  if (response.header("etag") !== undefined) return;
  response.discard();
  throw unexpectedResponse(what, "it has no ETag");
}

function hashOf(payload: Payload | undefined): string {
  if (payload === undefined) return emptySha256;
  if ("bytes" in payload) return createHash("sha256").update(payload.bytes).digest("hex");
  throw new TypeError("a streamed payload needs its SHA-256");
}

/** Reads the beginning of an error response, as far as it arrives. */
async function readError(response: HttpResponse, { method }: S3Request): Promise<string> {
  if (method === "HEAD") {
    response.discard();
    return "";
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body) {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length > maxErrorBytes) break;
    }
  } catch {
    // The status is known.
  }
  response.discard();
  return new TextDecoder().decode(joinChunks(chunks));
}
