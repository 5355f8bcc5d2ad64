import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, request as sendRequest } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { connect, type Socket } from "node:net";
import { listenOnLoopback } from "@mote/testbed";

export interface TestProxy extends AsyncDisposable {
  readonly url: string;
  /** `HOST:PORT` */
  readonly host: string;
  /** All requests and tunnels: `GET http://HOST/PATH`, `CONNECT HOST:PORT`. */
  readonly seen: string[];
  readonly logins: (string | undefined)[];
}

interface TestProxyOptions {
  /** The target of all requests and tunnels, `HOST:PORT`. */
  readonly target?: string;
  /** USER:PASSWORD */
  readonly login?: string;
  /** The status of every response, instead of forwarding. */
  readonly status?: number;
  /** Rejects tunnels, as squid does to ports other than 443. */
  readonly withoutTunnels?: boolean;
  readonly tls?: ServerOptions;
}

/** Starts a proxy on loopback for requests in absolute form and tunnels. */
export async function startProxy(options: TestProxyOptions): Promise<TestProxy> {
  const { target = "127.0.0.1:1", login, status, withoutTunnels = false, tls } = options;
  const [host = "", port = ""] = target.split(":");
  const seen: string[] = [];
  const logins: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const rejection = (request: IncomingMessage): number | undefined => {
    const { "proxy-authorization": shown } = request.headers;
    seen.push(`${request.method} ${request.url}`);
    logins.push(shown && Buffer.from(shown.replace(/^Basic /, ""), "base64").toString());
    return login !== undefined && logins.at(-1) !== login ? 407 : status;
  };
  const onRequest: RequestListener = (request, response) => {
    const refused = rejection(request);
    if (refused !== undefined || !URL.canParse(request.url ?? "")) return void response.writeHead(refused ?? 400).end();
    const { pathname, search } = new URL(request.url ?? "");
    const { "proxy-authorization": _, ...headers } = request.headers;
    const onward = sendRequest({ host, port, method: request.method, path: pathname + search, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  };
  const server = tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest);
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    const refused = rejection(request) ?? (withoutTunnels ? 403 : undefined);
    if (refused !== undefined) return void socket.end(`HTTP/1.1 ${refused} No\r\ncontent-length: 0\r\n\r\n`);
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    for (const one of [socket, onward]) one.on("error", () => {});
  });
  const address = await listenOnLoopback(server);
  return {
    url: `${tls === undefined ? "http" : "https"}://${address}`,
    host: address,
    seen,
    logins,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
