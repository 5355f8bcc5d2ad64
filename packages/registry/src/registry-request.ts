import type { Cancellable } from "@mote/core";
import type { Access } from "./auth/access.js";
import type { HttpRequest, HttpResponse } from "./http/http-transport.js";
import type { RetryPolicy } from "./http/retry.js";

/** A request to a registry's API. */
export interface RegistryRequest
  extends Cancellable,
    Pick<HttpRequest, "method" | "url" | "bulk" | "reuse" | "spares"> {
  readonly access: Access;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A request with a stream is never repeated. */
  readonly body?: HttpRequest["body"];
  /** False if a repeat would do harm. */
  readonly repeat?: boolean | undefined;
  /** Default: the client's. */
  readonly policy?: RetryPolicy | undefined;
  /** The deadline for the response by the client's clock, including all retries. Default: none. */
  readonly until?: number | undefined;
  /** Describes the request in error messages. */
  readonly what: string;
  /** The URL came from another host than the registry: no credentials are sent, also after a redirect. */
  readonly crossOrigin?: boolean | undefined;
  /** Returns whether a status is a success. Default: 200 to 299. */
  readonly accepts?: ((status: number) => boolean) | undefined;
}

export interface RegistryResponse extends HttpResponse {
  /** The final URL, after redirects. */
  readonly url: URL;
  /** The host that responded, if a redirect led away from the registry. */
  readonly redirectedTo: string | undefined;
  /** Whether credentials, or a token obtained with them, were sent. */
  readonly sentLogin?: boolean | undefined;
  /** Secrets that were sent, which the response may repeat. */
  readonly secrets: readonly string[];
  /** Returns why the stored login was not sent, if so. */
  readonly unusedLogin?: (() => Promise<string | undefined>) | undefined;
}

/** Returns whether a request only reads. */
export function isRead({ method }: Pick<HttpRequest, "method">): boolean {
  return method === "GET" || method === "HEAD";
}

export function canBeSentAgain(body: HttpRequest["body"]): boolean {
  return body === undefined || body instanceof Uint8Array;
}
