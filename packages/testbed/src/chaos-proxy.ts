import { once } from "node:events";
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What may become of a request. */
export type Effect =
  /** It is answered so, and does not reach the server. */
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** The connection is closed before an answer. */
  | "hang up"
  /** The server gets the request, and its response is lost. */
  | "lose the answer"
  /** Nothing ever comes. */
  | "silence"
  /** The server's response, changed. */
  | ChangedResponse;

interface ChangedResponse {
  /** Bytes of the body after which the connection is cut. */
  readonly cutAfter?: number;
  /** Bytes of the body after which nothing more comes. */
  readonly stallAfter?: number;
  /** Where the body has a wrong bit. */
  readonly flipAt?: number;
  /** Of a body, sent in place of the server's. */
  readonly body?: Uint8Array;
  /** Headers in place of the server's; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The server does not get to see `Range`. */
  readonly dropRange?: true;
}

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** How often this method and URL were asked for before. */
  readonly before: number;
}

export interface ChaosProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly asked: Asked[];
  /** What becomes of the requests from now on. */
  suffer(effect: (asked: Asked) => Effect | undefined): void;
}

/** Stands in front of the server at `target` (`HOST:PORT`, plain HTTP), which is honest, and is not. */
export async function startChaosProxy(target: string): Promise<ChaosProxy> {
  const asked: Asked[] = [];
  let choose: (one: Asked) => Effect | undefined = () => undefined;
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const before = asked.filter((one) => one.method === method && one.url === url).length;
    const one = { method, url, headers, before };
    asked.push(one);
    const effect = choose(one);
    if (effect === "silence") return;
    if (effect === "hang up") response.destroy();
    else if (typeof effect === "object" && "status" in effect) answer(response, request.method, effect);
    else passOn(target, request, response, effect ?? {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    asked,
    suffer: (effect) => {
      choose = effect;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function answer(
  response: ServerResponse,
  method: string | undefined,
  { status, headers = {}, body = "" }: Exclude<Effect, string | ChangedResponse>,
): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body), ...headers });
  response.end(method === "HEAD" ? undefined : body);
}

function passOn(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  effect: ChangedResponse | "lose the answer",
): void {
  const [host, port] = target.split(":");
  const isLost = effect === "lose the answer";
  const { range, ...others } = request.headers;
  const headers = (!isLost && effect.dropRange) || range === undefined ? others : { ...others, range };
  // The name that the client used is in the URLs that the server gives.
  // A connection of its own each time: a kept one that the server has closed would be one more disturbance.
  const onward = ask({ host, port, path: request.url, method: request.method, headers, agent: false });
  onward.once("response", (answered) => {
    if (isLost) {
      answered.resume().once("end", () => response.destroy());
      return;
    }
    const changed = Object.entries({ ...answered.headers, ...effect.headers });
    const kept = changed.filter((entry): entry is [string, string | string[]] => entry[1] !== undefined);
    response.writeHead(answered.statusCode ?? 502, Object.fromEntries(kept));
    if (request.method === "HEAD") response.end();
    else send(answered, response, effect).catch(() => response.destroy());
  });
  onward.once("error", () => response.destroy());
  request.pipe(onward);
}

async function send(answered: IncomingMessage, response: ServerResponse, effect: ChangedResponse): Promise<void> {
  const { cutAfter, stallAfter, flipAt } = effect;
  const end = cutAfter ?? stallAfter ?? Number.POSITIVE_INFINITY;
  let at = 0;
  for await (const chunk of effect.body === undefined ? answered : [effect.body]) {
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
  // Who has promised more cannot give it.
  if (cutAfter !== undefined || claimed > at) response.destroy();
  else response.end();
}
