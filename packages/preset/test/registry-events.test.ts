import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";
import type { TransferEvent } from "@mote/transfer";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openMote } from "../src/open-mote.js";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-events-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

it("the listener of a pull receives its retries and resumptions", async () => {
  const blob = new Uint8Array(600_000).fill(7);
  const layer = { mediaType: mediaTypes.ociLayer, digest: digestBytes(blob), size: blob.byteLength };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: layer, layers: [layer] }),
  );
  const asked: string[] = [];
  const answer: RequestListener = (request, response) => {
    const isBlob = request.url?.includes("/blobs/") === true;
    const times = asked.push(isBlob ? "blob" : "manifest");
    if (times === 1) return void response.writeHead(503, { "retry-after": "0" }).end();
    if (!isBlob) {
      const headers = { "content-type": mediaTypes.ociManifest, "docker-content-digest": digestBytes(bytes) };
      return void response.writeHead(200, { ...headers, "content-length": bytes.byteLength }).end(bytes);
    }
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": blob.byteLength - start,
      "content-range": `bytes ${start}-${blob.byteLength - 1}/${blob.byteLength}`,
    });
    if (start > 0) response.end(blob.subarray(start));
    else response.write(blob.subarray(0, 300_000), () => response.destroy());
  };
  const server = createServer(answer);
  const registry = await listenOnLoopback(server);
  const told: TransferEvent[] = [];
  try {
    await using mote = await openMote({ dir: join(dir, "cache") });
    const source = `docker://${registry}/team/app:1`;
    await mote.pull(source, undefined, { onEvent: (event) => void told.push(event) });
    const [retry] = told.filter(({ type }) => type === "retry");
    expect(retry).toMatchObject({ registry, reason: "503", attempt: 1 });
    const [resume] = told.filter(({ type }) => type === "resume");
    expect(resume).toMatchObject({ digest: layer.digest, size: layer.size, reason: "cut" });
    expect(resume?.type === "resume" && resume.offset).toBeGreaterThan(0);
    // The manifest was fetched with its tag, and not requested separately.
    expect(asked).toEqual(["manifest", "manifest", "blob", "blob"]);
    const before = told.length;
    await mote.pull(source, undefined, { onEvent: () => {} });
    expect(told).toHaveLength(before);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
