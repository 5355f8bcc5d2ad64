import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { listenOnLoopback, needs } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventLine } from "../src/json/lines.js";
import { mainFile, run, runMote } from "./run-mote.js";

const config = new TextEncoder().encode("{}");
const layer = new TextEncoder().encode("layer");
const described = (bytes: Uint8Array, mediaType: string) => ({
  mediaType,
  digest: digestBytes(bytes),
  size: bytes.byteLength,
});
const manifest = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: described(config, mediaTypes.ociConfig),
    layers: [described(layer, mediaTypes.ociLayer)],
  }),
);

let dir: string;
let server: Server;
let host: string;
let cache: string;
let asked = 0;
let failing: RequestListener | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-reach-"));
  cache = join(dir, "cache");
  server = createServer((request, response) => {
    asked++;
    if (failing !== undefined) return failing(request, response);
    const name = request.url?.split("/").at(-1);
    const body = [manifest, config, layer].find((bytes) => digestBytes(bytes) === name) ?? manifest;
    response.writeHead(200, {
      "content-type": body === manifest ? mediaTypes.ociManifest : "application/octet-stream",
      "content-length": body.byteLength,
      "docker-content-digest": digestBytes(body),
    });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  host = await listenOnLoopback(server);
  expect(await runMote(["pull", `${host}/a/b:1`, "--cache", cache])).toMatchObject({ status: 0 });
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(() => {
  failing = undefined;
  asked = 0;
});

const pull = (...more: string[]) => runMote(["pull", `${host}/a/b:1`, "--cache", cache, ...more]);

describe("a failing registry", () => {
  it("is reported with its host, the retry and the reason, and then with the fallback", async () => {
    failing = (_, response) => response.writeHead(503).end();
    const { status, stderr } = await pull(`oci:${dir}/failing:1`);
    expect(status).toBe(0);
    expect(stderr).toContain(`retrying ${host} (1 of 4) in `);
    expect(stderr).toContain(": 503");
    expect(stderr.split("\n").filter((line) => line.startsWith("mote: warning:"))).toHaveLength(1);
    expect(JSON.parse(await readFile(`${dir}/failing/index.json`, "utf8")).manifests[0].digest).toBe(
      digestBytes(manifest),
    );
  });

  it("is reported by events that match the schema, and not at all under --quiet", async () => {
    failing = (_, response) => response.writeHead(503).end();
    const { stdout } = await pull("--json=events");
    const lines = stdout.trim().split("\n");
    for (const line of lines) expect(eventLine.safeParse(JSON.parse(line))).toMatchObject({ success: true });
    const retries = lines.map((line) => JSON.parse(line).event).filter((event) => event?.type === "retry");
    expect(retries[0]).toMatchObject({ registry: host, host, attempt: 1, retries: 4, reason: "503" });
    expect(await pull("--quiet")).toMatchObject({ status: 0, stderr: "" });
  });

  it("that rejects the request is an error that says how to use the stored image", async () => {
    failing = (_, response) => response.writeHead(404).end();
    const { status, stderr } = await pull();
    expect([status, stderr]).toEqual([1, expect.stringMatching(/not found.*--offline/)]);
  });

  it("is not waited for after an interrupt", async () => {
    failing = () => {};
    const args = [mainFile, "pull", `${host}/a/new:1`, "--cache", join(dir, "new")];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes(`waiting for ${host}`) && !said.includes("Stopping")) child.kill("SIGINT");
    });
    const [status] = await once(child, "close");
    expect(status).toBe(130);
  });
});

describe("--offline", () => {
  it("uses stored content without a connection", async () => {
    for (const destination of [[], [`oci:${dir}/offline:1`]]) {
      expect(await pull(...destination, "--offline")).toMatchObject({ status: 0, stderr: "" });
    }
    const copy = ["copy", `${host}/a/b:1`, `oci-archive:${dir}/offline.tar:1`, "--offline", "--cache", cache];
    expect(await runMote(copy)).toMatchObject({ status: 0, stderr: "" });
    expect(asked).toBe(0);
  });

  it("is an error for content that is not stored, and wrong usage for a registry as destination", async () => {
    expect(await runMote(["pull", `${host}/a/c:1`, "--offline", "--cache", cache])).toMatchObject({ status: 1 });
    for (const destination of [`docker://${host}/a/d:1`, `${host}/a/d:1`]) {
      const args = ["copy", `${host}/a/b:1`, destination, "--offline", "--cache", cache];
      expect(await runMote(args)).toMatchObject({ status: 2, stderr: expect.stringContaining("--offline") });
    }
    expect(asked).toBe(0);
  });

  const wanted = needs("strace");
  it.skipIf(wanted !== "")(
    `makes no connection, looks up no name and starts no credential helper${wanted}`,
    async () => {
      const home = join(dir, "home");
      await mkdir(join(home, ".docker"), { recursive: true });
      await mkdir(join(home, "bin"));
      await writeFile(join(home, ".docker", "config.json"), JSON.stringify({ credsStore: "marker" }));
      const helper = join(home, "bin", "docker-credential-marker");
      await writeFile(helper, `#!/bin/sh\ntouch ${join(home, "started")}\n`);
      await chmod(helper, 0o755);
      const trace = join(dir, "trace");
      const env = { HOME: home, PATH: `${join(home, "bin")}:${process.env.PATH}`, HTTPS_PROXY: "http://127.0.0.1:9" };
      const name = "registry.example/a/b:1";
      const first = ["pull", name, "--mirror", `registry.example=${host}`, "--cache", cache];
      expect(await runMote(first)).toMatchObject({ status: 0 });
      const pulling = [process.execPath, mainFile, "pull", name, `oci:${dir}/traced:1`, "--offline", "--cache", cache];
      const traced = await run("strace", ["-f", "-e", "trace=socket,connect", "-o", trace, ...pulling], { env });
      expect(traced).toMatchObject({ status: 0 });
      expect(await readFile(trace, "utf8")).not.toMatch(/AF_INET|connect\(/);
      await expect(stat(join(home, "started"))).rejects.toThrow("ENOENT");
    },
  );
});
