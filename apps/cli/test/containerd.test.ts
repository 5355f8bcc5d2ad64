import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { needs } from "@mote/testbed";
import { hashSync } from "bcryptjs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import { startServe } from "./start-serve.js";

const missing = needs("containerd", "ctr");
const root = mkdtempSync(join(tmpdir(), "mote-containerd-"));
const address = join(root, "containerd.sock");
const registry = join(root, "registry");
const layer = new Uint8Array(3 * 1024 * 1024).map((_, at) => at % 251);
const layerDigest = digestBytes(layer);
let stop = async () => {};

beforeAll(async () => {
  if (missing !== "") return;
  await using mote = await openMote({ dir: registry });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    await writeMote(mote.cache, descriptor, bytes);
    return descriptor;
  };
  const text = new TextEncoder();
  const config = await put(mediaTypes.ociConfig, text.encode('{"architecture":"amd64","os":"linux"}'));
  const layers = [await put(mediaTypes.ociLayer, layer)];
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  await mote.tags.tag("team/app:1", await put(mediaTypes.ociManifest, text.encode(JSON.stringify(body))));
  stop = await startContainerd();
});
afterAll(async () => {
  await stop();
  rmSync(root, { recursive: true });
});

/** Starts containerd without plugins that need privileges. Returns what ends it. */
async function startContainerd(): Promise<() => Promise<void>> {
  const config = join(root, "config.toml");
  writeFileSync(
    config,
    [
      "version = 2",
      `root = "${join(root, "containerd")}"`,
      `state = "${join(root, "state")}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${address}"`,
      `[ttrpc]\naddress = "${address}.ttrpc"`,
    ].join("\n"),
  );
  const child = spawn("containerd", ["--config", config], { stdio: "ignore" });
  const exit = once(child, "exit");
  await vi.waitUntil(() => ctr("version").catch(() => ""), { timeout: 60_000 });
  return async () => {
    child.kill("SIGTERM");
    await exit;
  };
}

async function ctr(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("ctr", ["--address", address, ...args]);
  return stdout;
}

/** Writes the hosts.toml of the DaemonSet for a mirror on another port, with `more` lines. */
function hostsFolder(name: string, url: string, more = ""): string {
  const file = fileURLToPath(new URL("../../../examples/deploy/kubernetes/mote.yaml", import.meta.url));
  const documents = parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS());
  const text: string = documents.find(({ kind }) => kind === "ConfigMap").data["hosts.toml"];
  const folder = join(root, name, "_default");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "hosts.toml"), text.replace("http://127.0.0.1:5000", url) + more);
  return join(root, name);
}

describe.skipIf(missing !== "")(`containerd with the hosts.toml of the DaemonSet${missing}`, () => {
  it("pulls through the mirror, and from its cache when the registry is gone", async () => {
    const upstream = await startServe(registry);
    const name = "registry.example";
    const { url } = await startServe(join(root, "mirror"), ["--upstream", `${name}=${upstream.url}`]);
    const hosts = hostsFolder("hosts", url);
    await ctr("content", "fetch", "--hosts-dir", hosts, `${name}/team/app:1`);
    expect(await ctr("content", "ls", "--quiet")).toContain(layerDigest);

    upstream.child.kill("SIGKILL");
    await once(upstream.child, "exit");
    await ctr("images", "rm", "--sync", `${name}/team/app:1`);
    await ctr("content", "rm", layerDigest).catch(() => {});
    expect(await ctr("content", "ls", "--quiet")).not.toContain(layerDigest);
    await ctr("content", "fetch", "--hosts-dir", hosts, `${name}/team/app:1`);
    expect(await ctr("content", "ls", "--quiet")).toContain(layerDigest);
  });

  it("logs in at a mirror that asks for it", async () => {
    const users = join(root, "htpasswd");
    writeFileSync(users, `ann:${hashSync("secret", 4)}\n`);
    const { url } = await startServe(registry, ["--htpasswd", users]);
    const host = new URL(url).host;
    const fetchWith = (user: string) => ctr("content", "fetch", "--plain-http", "--user", user, `${host}/team/app:1`);
    await expect(fetchWith("ann:wrong")).rejects.toThrow(/40[13]|authoriz/i);
    await fetchWith("ann:secret");
  });
});
