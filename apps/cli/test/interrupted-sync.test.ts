import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { digestBytes, mediaTypes } from "@mote/core";
import { listArchive, verifyArchive } from "@mote/preset";
import { type DockerRegistry, listenOnLoopback, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mainFile, runMote } from "./run-mote.js";

const MiB = 1024 * 1024;
const json = (body: object) => new TextEncoder().encode(JSON.stringify(body));
const config = json({ os: "linux", architecture: "amd64" });

/** The bodies of the source by digest, and the manifests by repository. */
const bodies = new Map<string, Uint8Array>();
const manifests = new Map<string, Uint8Array>();

function described(bytes: Uint8Array, mediaType: string) {
  const digest = digestBytes(bytes);
  bodies.set(digest, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

function addImage(repository: string, layer: Uint8Array): void {
  const layers = [described(layer, mediaTypes.ociLayer)];
  const parts = { config: described(config, mediaTypes.ociConfig), layers };
  manifests.set(repository, json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...parts }));
}

const stalling = new Uint8Array(3 * MiB).fill(2);
addImage("team/quick", new Uint8Array(1000).fill(1));
addImage("team/slow", stalling);

const missing = needs("docker-registry");

describe.skipIf(missing !== "")(`an interrupted sync${missing}`, () => {
  let dir: string;
  let server: Server;
  let source: string;
  let registry: DockerRegistry;
  /** Whether the large layer stalls in the middle. */
  let stalls = true;
  const at = (name: string) => join(dir, name);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-interrupted-sync-"));
    server = createServer((request, response) => {
      const [, repository = "", kind, reference = ""] =
        /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? "") ?? [];
      const body = kind === "manifests" ? manifests.get(repository) : bodies.get(reference);
      if (body === undefined) return response.writeHead(request.url === "/v2/" ? 200 : 404).end();
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, {
        "content-type": kind === "manifests" ? mediaTypes.ociManifest : "application/octet-stream",
        "content-length": body.byteLength - start,
        ...(start > 0 ? { "content-range": `bytes ${start}-${body.byteLength - 1}/${body.byteLength}` } : {}),
        "docker-content-digest": digestBytes(body),
      });
      if (request.method === "HEAD") return response.end();
      if (body === stalling && stalls) return response.write(body.subarray(start, 2 * MiB));
      return response.end(body.subarray(start));
    });
    source = await listenOnLoopback(server);
    registry = await startDockerRegistry();
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const words = (name: string, to: string) => ["sync", "-", to, "--cache", at(`cache-${name}`), "--json=events"];
  const list = () => `${source}/team/quick:1\n${source}/team/slow:1\n`;

  /** Sends a signal once the small image is at the destination and half of the large one has been read. Returns how the process ended. */
  async function interrupt(name: string, to: string, signal: NodeJS.Signals): Promise<unknown[]> {
    const child = spawn(process.execPath, [mainFile, ...words(name, to)], { stdio: ["pipe", "pipe", "ignore"] });
    child.stdin.end(list());
    const awaited = new Set(["image", "progress"]);
    for await (const line of createInterface({ input: child.stdout })) {
      awaited.delete(JSON.parse(line).event?.type);
      if (awaited.size === 0) break;
    }
    const ended = once(child, "exit");
    child.kill(signal);
    return ended;
  }

  async function again(name: string, to: string): Promise<string[]> {
    const { stdout, stderr, status } = await runMote(words(name, to), { input: list() });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    const lines = stdout.trim().split("\n");
    return JSON.parse(lines.at(-1) ?? "").result.images.map(({ state }: { state: string }) => state);
  }

  const namesAt = async (path: string) => (await listArchive(path)).images.map(({ name }) => name);
  const blobAt = (layout: string, bytes: Uint8Array) =>
    existsSync(join(at(layout), "blobs", ...digestBytes(bytes).split(":")));
  const statusOf = async (name: string) =>
    (await fetch(`http://${registry.host}/v2/${name}`, { headers: { accept: mediaTypes.ociManifest } })).status;

  it("by Ctrl-C ends with status 130, has set only names of complete images, and is completed by a second run", async () => {
    stalls = true;
    const places = {
      registry: `docker://${registry.host}/lab`,
      layout: `oci:${at("l")}`,
      archive: `oci-archive:${at("a.tar")}`,
    };
    const interrupted = Object.entries(places).map(([name, to]) => interrupt(name, to, "SIGINT"));
    expect(await Promise.all(interrupted)).toEqual(Array(3).fill([130, null]));
    expect(await statusOf("lab/team/quick/manifests/1")).toBe(200);
    expect(await statusOf("lab/team/slow/manifests/1")).toBe(404);
    expect([await namesAt(`oci:${at("l")}`), blobAt("l", stalling)]).toEqual([[`${source}/team/quick:1`], false]);
    const left = (await readdir(dir)).filter((name) => !name.startsWith("cache-"));
    expect(left.sort()).toEqual(["l"]);

    stalls = false;
    const states = await Promise.all(Object.entries(places).map(([name, to]) => again(name, to)));
    expect(states).toEqual([
      ["unchanged", "copied"],
      ["unchanged", "copied"],
      ["copied", "copied"],
    ]);
    expect(await statusOf("lab/team/slow/manifests/1")).toBe(200);
    expect([await namesAt(at("a.tar")), blobAt("l", stalling)]).toEqual([[...list().trim().split("\n")], true]);
  });

  it("by kill -9 leaves an archive as it was and a layout with complete images, and is completed by a second run", async () => {
    stalls = false;
    await runMote(["sync", "-", `oci-archive:${at("b.tar")}`, "--cache", at("cache-before")], {
      input: `${source}/team/quick:1 other:1\n`,
    });
    const before = await readFile(at("b.tar"));
    stalls = true;
    const places = { killed: `oci:${at("k")}`, "killed-archive": `oci-archive:${at("b.tar")}` };
    const killed = Object.entries(places).map(([name, to]) => interrupt(name, to, "SIGKILL"));
    expect(await Promise.all(killed)).toEqual(Array(2).fill([null, "SIGKILL"]));
    expect(await namesAt(`oci:${at("k")}`)).toEqual([`${source}/team/quick:1`]);
    expect((await readFile(at("b.tar"))).equals(before)).toBe(true);

    stalls = false;
    const states = await Promise.all(Object.entries(places).map(([name, to]) => again(name, to)));
    expect(states).toEqual([
      ["unchanged", "copied"],
      ["copied", "copied"],
    ]);
    expect((await namesAt(at("b.tar"))).length).toBe(3);
    for (const path of [at("b.tar"), `oci:${at("k")}`])
      expect(await verifyArchive(path)).toMatchObject({ incomplete: [], damaged: [], missing: [] });
  });
});
