import type { Cancellable } from "@mote/core";
import { type ConnectionOptions, Connections } from "./http/connections.js";
import type { HttpRequest, HttpResponse } from "./http/http-transport.js";
import { isNetworkError } from "./http/network-errors.js";
import { networkError } from "./reports/network-error.js";

export interface GetOptions extends Cancellable, Pick<HttpRequest, "headers" | "bulk" | "reuse"> {
  /** Describes the request in error messages. */
  readonly what: string;
}

/**
 * Reads from hosts that are not registries, with the certificates, proxies and time limits of registries. It sends each request once: without
 * logins and retries, and follows no redirects, so that a secret in a header stays with its host.
 */
export class HttpClient implements AsyncDisposable {
  readonly #connections: Connections;

  /** @throws MOTE_CONFIG */
  constructor(options: ConnectionOptions = {}) {
    this.#connections = new Connections(options);
  }

  /** Returns the response, whatever its status. @throws MOTE_UNREACHABLE · MOTE_TIMEOUT, also while its body is read */
  async get(
    url: URL,
    { what, headers, ...options }: GetOptions,
  ): Promise<Pick<HttpResponse, "status" | "header" | "body" | "discard">> {
    const { signal } = options;
    const failed = (error: unknown) => {
      signal?.throwIfAborted();
      return isNetworkError(error) ? networkError({ registry: url.host }, url.host, error, what) : error;
    };
    const sent = { "user-agent": "mote", "accept-encoding": "identity", ...headers };
    const exchange = this.#connections.exchange({ ...options, method: "GET", url, headers: sent });
    const response = await exchange.catch((error: unknown) => Promise.reject(failed(error)));
    return { ...response, body: chunksOf(response, failed) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections.close();
  }
}

async function* chunksOf(
  { body }: HttpResponse,
  failed: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw failed(error);
  }
}
