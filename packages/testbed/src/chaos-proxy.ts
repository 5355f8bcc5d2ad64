import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from "node:http";
import { closeServer, listenOnLoopback } from "./loopback.js";

/** What happens to a request. */
export type Effect =
  /** The proxy responds, and the server does not receive the request. */
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** The connection is closed without a response. */
  | "hang up"
  /** The server receives the request, and its response is lost. */
  | "lose the response"
  /** No response is ever sent. */
  | "silence"
  /** The server's response is changed. */
  | ChangedResponse;

interface ChangedResponse {
  /** Bytes of the body after which the connection is closed. */
  readonly cutAfter?: number;
  /** Bytes of the body after which no more are sent. */
  readonly stallAfter?: number;
  /** Offset of a byte of the body with a wrong bit. */
  readonly flipAt?: number;
  /** Replaces the server's body. */
  readonly body?: Uint8Array;
  /** Replaces headers of the server. Undefined removes one. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Removes `Range` from the request. */
  readonly dropRange?: true;
}

export interface ProxiedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** 0 for the first request with this method and URL, 1 for the second, … */
  readonly attempt: number;
}

export interface ChaosProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: ProxiedRequest[];
  /** Selects the effect of each request from now on. */
  inject(effect: (asked: ProxiedRequest) => Effect | undefined): void;
}

/** Starts a faulty proxy in front of a working server at `target` (`HOST:PORT`, plain HTTP). */
export async function startChaosProxy(target: string): Promise<ChaosProxy> {
  const requests: ProxiedRequest[] = [];
  let choose: (request: ProxiedRequest) => Effect | undefined = () => undefined;
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const attempt = requests.filter((earlier) => earlier.method === method && earlier.url === url).length;
    const proxied = { method, url, headers, attempt };
    requests.push(proxied);
    const effect = choose(proxied);
    if (effect === "silence") return;
    if (effect === "hang up") response.destroy();
    else if (typeof effect === "object" && "status" in effect) respond(response, request.method, effect);
    else forward(target, request, response, effect ?? {});
  });
  const host = await listenOnLoopback(server);
  return {
    host,
    requests,
    inject: (effect) => {
      choose = effect;
    },
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

function respond(
  response: ServerResponse,
  method: string | undefined,
  { status, headers = {}, body = "" }: Exclude<Effect, string | ChangedResponse>,
): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body), ...headers });
  response.end(method === "HEAD" ? undefined : body);
}

function forward(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  effect: ChangedResponse | "lose the response",
): void {
  const [host, port] = target.split(":");
  const isLost = effect === "lose the response";
  const { range, ...others } = request.headers;
  const headers = (!isLost && effect.dropRange) || range === undefined ? others : { ...others, range };
  // The host that the client used is forwarded, because the server's URLs contain it. Each request has its own connection,
  // because a kept-alive one that the server has closed would be another fault.
  const forwarded = sendRequest({ host, port, path: request.url, method: request.method, headers, agent: false });
  forwarded.once("response", (received) => {
    if (isLost) {
      received.resume().once("end", () => response.destroy());
      return;
    }
    const changed = Object.entries({ ...received.headers, ...effect.headers });
    const kept = changed.filter((entry): entry is [string, string | string[]] => entry[1] !== undefined);
    response.writeHead(received.statusCode ?? 502, Object.fromEntries(kept));
    if (request.method === "HEAD") response.end();
    else send(received, response, effect).catch(() => response.destroy());
  });
  forwarded.once("error", () => response.destroy());
  request.pipe(forwarded);
}

async function send(received: IncomingMessage, response: ServerResponse, effect: ChangedResponse): Promise<void> {
  const { cutAfter, stallAfter, flipAt } = effect;
  const end = cutAfter ?? stallAfter ?? Number.POSITIVE_INFINITY;
  let at = 0;
  for await (const chunk of effect.body === undefined ? received : [effect.body]) {
    const bytes = new Uint8Array(chunk).subarray(0, Math.max(0, end - at));
    const wrong = (flipAt ?? -1) - at;
    if (wrong >= 0 && wrong < bytes.byteLength) bytes[wrong] = (bytes[wrong] ?? 0) ^ 1;
    at += bytes.byteLength;
    await new Promise<void>((resolve, reject) => {
      response.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    if (at >= end) break;
  }
  if (stallAfter !== undefined) return;
  const claimed = Number(response.getHeader("content-length") ?? at);
  // The proxy cannot send as many bytes as the header claims.
  if (cutAfter !== undefined || claimed > at) response.destroy();
  else response.end();
}
