import type { Cancellable } from "@mote/core";
import type { Access } from "./auth/access.js";
import type { HttpRequest, HttpResponse } from "./http/http-transport.js";
import type { RetryPolicy } from "./http/retry.js";

/** A request to a registry's API. */
export interface RegistryRequest extends Cancellable, Pick<HttpRequest, "method" | "url" | "bulk" | "reuse"> {
  readonly access: Access;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A stream can be sent once only, so a request with one is never repeated. */
  readonly body?: HttpRequest["body"];
  /** False if repeating the request would do harm. */
  readonly repeat?: boolean | undefined;
  /** Default: the client's. */
  readonly policy?: RetryPolicy | undefined;
  /** The time of the client's clock by which the response has to arrive, including all retries. Default: none. */
  readonly until?: number | undefined;
  /** What is requested, in words, for error messages. */
  readonly what: string;
  /** The URL came from another host than the registry: no secret is sent there, wherever it redirects. */
  readonly crossOrigin?: boolean | undefined;
  /** Returns whether a status is a success. Default: 200 to 299. */
  readonly accepts?: ((status: number) => boolean) | undefined;
}

export interface RegistryResponse extends HttpResponse {
  /** The URL that responded: the last one, if there were redirects. */
  readonly url: URL;
  /** The host that responded, if a redirect led away from the registry. */
  readonly redirectedTo: string | undefined;
  /** Whether credentials, or a token obtained with them, were sent. */
  readonly sentLogin?: boolean | undefined;
  /** What was sent to the server, and may be repeated in its response. */
  readonly secrets: readonly string[];
  /** Tells why the login that is stored for the registry was not sent, if that is so. */
  readonly unusedLogin?: (() => Promise<string | undefined>) | undefined;
}

/** Whether a request has to do with reading only. */
export function isRead({ method }: Pick<HttpRequest, "method">): boolean {
  return method === "GET" || method === "HEAD";
}

export function canBeSentAgain(body: HttpRequest["body"]): boolean {
  return body === undefined || body instanceof Uint8Array;
}
