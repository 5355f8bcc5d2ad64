import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { GeneratedBlob } from "./generated-blob.js";
import { closeServer, listenOnLoopback } from "./loopback.js";

/** What a response to a GET of the blob does differently. Offsets are those of the blob. */
export interface RangeReply {
  readonly ignoresRange?: boolean;
  readonly contentRange?: string;
  /** Default: the server's. */
  readonly etag?: string | undefined;
  /** Ends the connection before this byte. */
  readonly cutAt?: number;
  /** Sends nothing more from this byte on, and keeps the connection. */
  readonly stallAt?: number;
  /** Sends this byte wrong. */
  readonly damageAt?: number;
}

export interface RangeRequest {
  /** Counted from 1. */
  readonly number: number;
  readonly path: string;
  /** Undefined without `Range`. */
  readonly range: { readonly start: number; readonly end: number } | undefined;
  readonly ifRange: string | undefined;
}

export interface RangeServerOptions {
  readonly size: number;
  /** Of each connection. Default: unlimited. */
  readonly bytesPerSecond?: number;
  /** Called with `sentBytes` when it grows. */
  readonly onSent?: (bytes: number) => void;
  readonly reply?: (request: RangeRequest) => RangeReply | undefined;
}

/** A registry with one image, `IMAGE:1`, whose layer is generated while it is sent. */
export interface RangeServer extends AsyncDisposable {
  /** `127.0.0.1:PORT/a/b` */
  readonly image: string;
  readonly blob: GeneratedBlob;
  /** The GETs of the blob so far. */
  readonly requests: readonly RangeRequest[];
  /** Bytes of the blob that were passed to connections. */
  readonly sentBytes: number;
  /** The maximum number of responses that were being sent at a time. */
  readonly mostAtOnce: number;
}

const pieceBytes = 64 * 1024;
const manifestType = "application/vnd.oci.image.manifest.v1+json";

export async function startRangeServer(options: RangeServerOptions): Promise<RangeServer> {
  const blob = new GeneratedBlob(options.size);
  const config = Buffer.from("{}");
  const layers = [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: blob.digest, size: blob.size }];
  const configType = "application/vnd.oci.image.config.v1+json";
  const described = { mediaType: configType, digest: digestOf(config), size: config.byteLength };
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: described, layers }),
  );
  const requests: RangeRequest[] = [];
  const sending = { bytes: 0, now: 0, most: 0 };
  const server = createServer((request, response) => {
    const name = request.url?.split("?")[0]?.split("/").at(-1) ?? "";
    if (name === blob.digest) {
      const asked = {
        number: requests.length + 1,
        path: request.url ?? "",
        range: rangeOf(request),
        ifRange: request.headers["if-range"]?.toString(),
      };
      if (request.method === "GET") requests.push(asked);
      sendBlob(blob, request, response, { ...options, asked, sending }).catch(() => response.destroy());
      return;
    }
    const content = [config, manifest].find((each) => digestOf(each) === name) ?? (name === "1" ? manifest : undefined);
    if (content === undefined) return void response.writeHead(name === "" ? 200 : 404).end();
    response.writeHead(200, {
      "content-type": content === manifest ? manifestType : "application/octet-stream",
      "content-length": content.byteLength,
      "docker-content-digest": digestOf(content),
    });
    response.end(request.method === "HEAD" ? undefined : content);
  });
  const host = await listenOnLoopback(server);
  return {
    image: `${host}/a/b`,
    blob,
    requests,
    get sentBytes() {
      return sending.bytes;
    },
    get mostAtOnce() {
      return sending.most;
    },
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

function rangeOf({ headers }: IncomingMessage): RangeRequest["range"] {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), end: end === "" || end === undefined ? Number.POSITIVE_INFINITY : Number(end) + 1 };
}

async function sendBlob(
  blob: GeneratedBlob,
  { method }: IncomingMessage,
  response: ServerResponse,
  context: RangeServerOptions & {
    readonly asked: RangeRequest;
    readonly sending: { bytes: number; now: number; most: number };
  },
): Promise<void> {
  const { asked, sending, bytesPerSecond = Number.POSITIVE_INFINITY } = context;
  const reply = (method === "GET" ? context.reply?.(asked) : undefined) ?? {};
  const { etag = '"1"', cutAt = blob.size + 1, stallAt = blob.size + 1, damageAt } = reply;
  const isWhole = reply.ignoresRange || asked.range === undefined || (asked.ifRange ?? etag) !== etag;
  const { start, end } = isWhole || asked.range === undefined ? { start: 0, end: blob.size } : asked.range;
  const last = Math.min(end, blob.size);
  const contentRange = reply.contentRange ?? `bytes ${start}-${last - 1}/${blob.size}`;
  response.writeHead(isWhole ? 200 : 206, {
    "content-type": "application/octet-stream",
    "content-length": last - start,
    etag,
    ...(isWhole ? {} : { "content-range": contentRange }),
  });
  if (method === "HEAD") return void response.end();
  sending.most = Math.max(sending.most, ++sending.now);
  const startMs = performance.now();
  try {
    for (let at = start; at < last && !response.destroyed; ) {
      const earlyMs = startMs + ((at - start) / bytesPerSecond) * 1000 - performance.now();
      if (earlyMs > 1) await delay(earlyMs);
      const next = Math.min(last, at + pieceBytes, Math.max(at, cutAt), Math.max(at, stallAt));
      // Not before the bytes so far are on their way.
      if (next === at && at === cutAt) return void response.socket?.destroySoon();
      if (next === at) return void (await once(response, "close"));
      sending.bytes += next - at;
      context.onSent?.(sending.bytes);
      let isFull = false;
      for (const bytes of blob.slices(at, next, damageAt)) isFull = !response.write(bytes);
      if (isFull) await drained(response);
      at = next;
    }
    response.end();
  } finally {
    sending.now--;
  }
}

/** Waits until more can be written, or until the connection is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      response.off("drain", end);
      response.off("close", end);
      resolve();
    };
    response.on("drain", end);
    response.on("close", end);
    if (response.destroyed) end();
  });
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
