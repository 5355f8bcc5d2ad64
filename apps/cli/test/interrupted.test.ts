import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mainFile, runMote } from "./run-mote.js";

const layer = new Uint8Array(randomBytes(8 * 1024 * 1024));
const half = layer.byteLength / 2;
const config = new TextEncoder().encode("{}");
const manifest = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestBytes(config), size: config.byteLength },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: digestBytes(layer), size: layer.byteLength }],
  }),
);

describe("an interrupted pull", () => {
  let dir: string;
  let server: Server;
  let host: string;
  /** Whether the layer stalls in the middle. */
  let stalls = true;
  const layerRanges: (string | undefined)[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-interrupted-"));
    server = createServer((request, response) => {
      const url = request.url ?? "";
      const isManifest = url.includes("/manifests/");
      const body = isManifest ? manifest : url.endsWith(digestBytes(config)) ? config : layer;
      if (body === layer) layerRanges.push(request.headers.range);
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, {
        "content-type": isManifest ? mediaTypes.ociManifest : "application/octet-stream",
        "content-length": body.byteLength - start,
        ...(start > 0 ? { "content-range": `bytes ${start}-${body.byteLength - 1}/${body.byteLength}` } : {}),
        ...(isManifest ? { "docker-content-digest": digestBytes(manifest) } : {}),
      });
      if (request.method === "HEAD") response.end();
      else if (body === layer && stalls) response.write(body.subarray(start, half));
      else response.end(body.subarray(start));
    });
    host = await listenOnLoopback(server);
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true, force: true });
  });

  function startPull(cache: string, layout: string): ChildProcess {
    const args = ["pull", `docker://${host}/lib/app:1`, `oci:${layout}:1`, "--cache", cache, "--json"];
    return spawn(process.execPath, [mainFile, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  }

  /** Waits until the first half is in the cache. The process reports no event for it. */
  async function untilHalfIsStored(cache: string): Promise<void> {
    for (;;) {
      if ((await largestFile(cache)) >= half) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it("by kill -9 fetches only the rest the next time", async () => {
    const [cache, layout] = [join(dir, "killed"), join(dir, "killed-layout")];
    stalls = true;
    const child = startPull(cache, layout);
    await untilHalfIsStored(cache);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    const visible = await runMote(["ls", "--json", "--cache", cache]);
    expect(visible.stdout).not.toContain(digestBytes(layer));

    stalls = false;
    layerRanges.length = 0;
    const again = await runMote(["pull", `docker://${host}/lib/app:1`, `oci:${layout}:1`, "--cache", cache, "--json"]);
    expect(again).toMatchObject({ status: 0, stderr: "" });
    expect(layerRanges).toEqual([`bytes=${half}-${layer.byteLength - 1}`]);
    expect(await runMote(["verify", "--cache", cache])).toMatchObject({ status: 0 });
  });

  it("by Ctrl-C ends immediately with status 130, and leaves neither a tag nor visible content", async () => {
    const [cache, layout] = [join(dir, "stopped"), join(dir, "stopped-layout")];
    stalls = true;
    const child = startPull(cache, layout);
    await untilHalfIsStored(cache);
    const ended = once(child, "close");
    let said = "";
    child.stderr?.on("data", (text) => {
      said += text;
    });
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(JSON.parse(said).error.code).toBe("MOTE_INTERRUPTED");
    const visible = await runMote(["ls", "--json", "--cache", cache]);
    expect(visible.stdout).not.toContain(digestBytes(layer));
    expect(visible.stdout).not.toContain("lib/app");
    expect(await readdir(join(layout, "blobs", "sha256")).catch(() => [])).not.toContain(digestBytes(layer).slice(7));
  });
});

async function largestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return Math.max(0, ...sizes);
}
