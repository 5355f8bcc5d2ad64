import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { listenOnLoopback } from "@mote/testbed";

/** A registry with one image, whose layer it sends at a limited rate. */
export interface LimitedUpstream extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** The path of the layer, and that of the manifest. */
  readonly blob: string;
  readonly manifest: string;
  readonly manifestBytes: number;
  /** GET requests of the layer so far. */
  readonly gets: number;
}

const pieceBytes = 256 * 1024;

/** Starts it with a layer of this many bytes. */
export async function startLimitedUpstream(bytes: number, bytesPerSecond: number): Promise<LimitedUpstream> {
  const block = randomBytes(1024 * 1024);
  const layer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += block.byteLength) block.copy(layer, at);
  const config = Buffer.from("{}");
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config), size: config.length },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf(layer), size: bytes }],
    }),
  );
  const contents = new Map([config, layer, manifest].map((content) => [digestOf(content), content]));
  const layerDigest = [...contents.keys()][1] ?? "";
  let gets = 0;
  const server = createServer((request, response) => {
    const name = request.url?.split("?")[0]?.split("/").at(-1) ?? "";
    if (name === "") return void response.writeHead(200).end();
    const digest = name === "1" ? digestOf(manifest) : name;
    const content = contents.get(digest);
    if (content === undefined) return void response.writeHead(404).end();
    if (content === layer && request.method === "GET") gets++;
    response.writeHead(200, {
      "content-type": content === manifest ? manifestType : "application/octet-stream",
      "content-length": content.byteLength,
      "docker-content-digest": digest,
    });
    if (request.method === "HEAD") response.end();
    else sendSlowly(content, response, bytesPerSecond).catch(() => response.destroy());
  });
  return {
    host: await listenOnLoopback(server),
    blob: `/v2/a/b/blobs/${layerDigest}`,
    manifest: "/v2/a/b/manifests/1",
    manifestBytes: manifest.byteLength,
    get gets() {
      return gets;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function sendSlowly(content: Uint8Array, response: ServerResponse, bytesPerSecond: number): Promise<void> {
  const startMs = performance.now();
  for (let at = 0; at < content.byteLength; at += pieceBytes) {
    const dueMs = startMs + (at / bytesPerSecond) * 1000;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 1) await delay(earlyMs);
    if (response.destroyed) return;
    if (!response.write(content.subarray(at, at + pieceBytes))) await once(response, "drain");
  }
  response.end();
}
