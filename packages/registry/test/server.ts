import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { listenOnLoopback } from "@mote/testbed";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** A server on loopback that records its requests. */
export interface TestServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly seen: Seen[];
  /** Returns the number of requests with this method and a path with this end. */
  count(method: string, pathEnd?: string): number;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Starts a server, over TLS with `tls`. */
export async function serve(answer: Handler, tls?: ServerOptions): Promise<TestServer> {
  const seen: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    Promise.resolve(answer(request, response)).catch((error) => response.destroy(error));
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const host = await listenOnLoopback(server);
  return {
    host,
    seen,
    count: (method, pathEnd = "") => seen.filter((one) => one.method === method && one.url.endsWith(pathEnd)).length,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
