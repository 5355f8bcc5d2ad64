import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenOnLoopback } from "@mote/testbed";

export interface CountingUpstream extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** The requests for manifests and blobs by digest: the first byte of each. */
  readonly reads: Map<string, number[]>;
  /** Adds an image with one layer to the repository `team/app`. */
  addImage(tag: string, layerBytes: number): { readonly digests: readonly string[]; readonly layer: string };
  /** Sends only the bytes before `offset` of a blob, until the result is called. */
  pause(digest: string, offset: number): () => void;
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const chunkBytes = 256 * 1024;

export const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Starts a registry on loopback that counts what is read of it, and can be paused in the middle of a blob. */
export async function startCountingUpstream(): Promise<CountingUpstream> {
  const blobs = new Map<string, Uint8Array>();
  const tags = new Map<string, string>();
  const reads = new Map<string, number[]>();
  const pauses = new Map<string, { readonly offset: number; readonly ended: Promise<void> }>();
  const add = (bytes: Uint8Array) => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { digest, size: bytes.byteLength };
  };

  async function answer({ method, url = "", headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, kind, reference = ""] = /^\/v2\/team\/app\/(manifests|blobs)\/([^?]+)/.exec(url) ?? [];
    const digest = tags.get(reference) ?? reference;
    const bytes = blobs.get(digest);
    if (bytes === undefined) {
      response.writeHead(url === "/v2/" ? 200 : 404).end();
      return;
    }
    const range = /^bytes=(\d+)-/.exec(headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    response.writeHead(range === null ? 200 : 206, {
      "content-type": kind === "manifests" ? manifestType : "application/octet-stream",
      "docker-content-digest": digest,
      "content-length": String(bytes.byteLength - start),
      ...(range === null ? {} : { "content-range": `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }),
    });
    if (method === "HEAD") {
      response.end();
      return;
    }
    reads.set(digest, [...(reads.get(digest) ?? []), start]);
    const pause = pauses.get(digest);
    const closed = once(response, "close");
    for (let at = start; at < bytes.byteLength && !response.destroyed; ) {
      if (pause !== undefined && at === pause.offset) await pause.ended;
      const end = Math.min(at + chunkBytes, pause !== undefined && at < pause.offset ? pause.offset : bytes.byteLength);
      if (!response.write(bytes.subarray(at, end)))
        await Promise.race([new Promise((resolve) => response.once("drain", resolve)), closed]);
      at = end;
    }
    response.end();
  }

  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  return {
    host: await listenOnLoopback(server),
    reads,
    addImage(tag, layerBytes) {
      const config = { mediaType: "application/vnd.oci.image.config.v1+json", ...add(Buffer.from(`{"tag":"${tag}"}`)) };
      const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar", ...add(randomBytes(layerBytes)) };
      const document = { schemaVersion: 2, mediaType: manifestType, config, layers: [layer] };
      const manifest = add(Buffer.from(JSON.stringify(document)));
      tags.set(tag, manifest.digest);
      return { digests: [manifest, config, layer].map(({ digest }) => digest), layer: layer.digest };
    },
    pause(digest, offset) {
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      pauses.set(digest, { offset, ended });
      return end;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
