import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { digestBytes, mediaTypes } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
const described = (bytes: Uint8Array, mediaType: string) => ({
  mediaType,
  digest: digestBytes(bytes),
  size: bytes.byteLength,
});

/** Responds instead of the registry if it returns true. */
export type Failure = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface FailingRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Requests so far. */
  readonly asked: readonly string[];
  /** Its log: the status of each response, and the bytes of manifests and blobs in it. */
  readonly log: readonly { readonly status: number; readonly bytes: number }[];
  /** Headers of all its responses. */
  readonly headers: Record<string, string>;
  /** Changes the failure from now on. */
  fail(failure: Failure): void;
  /** Moves the tag to another image. */
  move(): void;
}

/** Starts a registry with one image, `a/b:1`, which fails as requested. */
export async function startFailingRegistry(): Promise<FailingRegistry> {
  const contents = new Map<string, { readonly bytes: Uint8Array; readonly type: string }>();
  const add = (bytes: Uint8Array, type: string) => {
    contents.set(digestBytes(bytes), { bytes, type });
    return described(bytes, type);
  };
  const image = (text: string) => {
    const config = add(json({ os: "linux", architecture: "amd64", text }), mediaTypes.ociConfig);
    const layers = [add(new TextEncoder().encode(text), mediaTypes.ociLayer)];
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    return add(json(body), mediaTypes.ociManifest).digest;
  };
  let tagged = image("first");
  let failure: Failure = () => false;
  const asked: string[] = [];
  const log: { status: number; bytes: number }[] = [];
  const headers: Record<string, string> = {};
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    asked.push(`${request.method} ${path}`);
    response.on("error", () => {});
    let sent = 0;
    response.on("finish", () => log.push({ status: response.statusCode, bytes: sent }));
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (failure(request, response)) return;
    const name = path.split("/").at(-1) ?? "";
    const digest = name === "1" ? tagged : name;
    const found = contents.get(digest);
    if (found === undefined) return void response.writeHead(404).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const isRange = first !== undefined;
    const { type } = found;
    const bytes = isRange ? found.bytes.subarray(Number(first), Number(last) + 1) : found.bytes;
    response.writeHead(isRange ? 206 : 200, {
      "content-type": path.includes("/blobs/") ? "application/octet-stream" : type,
      "content-length": bytes.byteLength,
      "docker-content-digest": digest,
      ...(isRange ? { "content-range": `bytes ${first}-${last}/${found.bytes.byteLength}` } : {}),
    });
    sent = request.method === "HEAD" ? 0 : bytes.byteLength;
    response.end(sent === 0 ? undefined : bytes);
  });
  const host = await listenOnLoopback(server);
  return {
    host,
    asked,
    log,
    headers,
    fail(how) {
      failure = how;
    },
    move() {
      tagged = image("second");
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
