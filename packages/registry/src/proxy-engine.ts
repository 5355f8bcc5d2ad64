import { Readable } from "node:stream";
import { MoteError } from "@mote/core";
import type { Dispatcher } from "undici";
import {
  bodyBufferBytes,
  type EngineOptions,
  type HttpAnswer,
  type HttpEngine,
  type HttpRequest,
  worthReadingBytes,
} from "./http-exchange.js";

/** By the proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`). */
export class ProxyEngine implements HttpEngine {
  readonly #options: EngineOptions;
  #opened: Promise<Dispatcher> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  async exchange({ url, method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    this.#opened ??= this.#open();
    const streams = body !== undefined && !(body instanceof Uint8Array);
    const answer = await (await this.#opened).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers,
      ...(body === undefined ? {} : { body: streams ? Readable.from(body, { objectMode: false }) : body }),
      ...(signal === undefined ? {} : { signal }),
      highWaterMark: bodyBufferBytes,
    });
    return httpAnswer(answer);
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.destroy();
  }

  async #open(): Promise<Dispatcher> {
    // All of it is its default export, also where it is bundled.
    const { EnvHttpProxyAgent } = (await import("undici")).default;
    const { connectTimeoutMs: timeout, idleTimeoutMs, tls } = this.#options;
    const { ca, ...rest } = tls;
    const connect = { timeout, ...rest, ...(ca === undefined ? {} : { ca: [ca].flat() }) };
    try {
      return new EnvHttpProxyAgent({
        headersTimeout: idleTimeoutMs,
        bodyTimeout: idleTimeoutMs,
        connect,
        requestTls: connect,
        proxyTls: { timeout },
      });
    } catch {
      // The cause quotes the URL, and that may have a password in it.
      throw new MoteError(
        "MOTE_CONFIG",
        "a proxy of the environment (HTTP_PROXY, HTTPS_PROXY) is no http or https URL; correct it",
      );
    }
  }
}

/** undici is loaded only where one is set: it takes longer to start than a warm pull does. */
export function proxyIsSet(): boolean {
  const { env } = process;
  return Boolean(env.http_proxy ?? env.HTTP_PROXY ?? env.https_proxy ?? env.HTTPS_PROXY);
}

function httpAnswer(answer: Dispatcher.ResponseData): HttpAnswer {
  const { statusCode: status, headers, body } = answer;
  const values = (name: string): readonly string[] => {
    const value = headers[name];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  return {
    status,
    header: (name) => values(name)[0],
    headers: values,
    body,
    discard: () => {
      // Nobody waits for it: a body that breaks off now has nothing more to say.
      body.on("error", () => {});
      body.dump({ limit: worthReadingBytes }).catch(() => {});
    },
    destroy: (error) => {
      body.destroy(error);
    },
  };
}
