import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { mainFile, runMote } from "./run-mote.js";

const root = mkdtempSync(join(tmpdir(), "mote-serve-"));
const dir = join(root, "cache");
const layer = new Uint8Array(48 * 1024 * 1024);
const layerDigest = digestBytes(layer);
const children = new Set<ChildProcess>();

beforeAll(async () => {
  await using mote = await openMote({ dir });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const digest = digestBytes(bytes);
    await writeMote(mote.cache, { digest, mediaType, size: bytes.byteLength }, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const text = new TextEncoder();
  const config = await put(mediaTypes.ociConfig, text.encode("{}"));
  const layers = [await put(mediaTypes.ociLayer, layer)];
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  await mote.tags.tag("registry.example/app:1", await put(mediaTypes.ociManifest, text.encode(JSON.stringify(body))));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
afterAll(() => rmSync(root, { recursive: true }));

async function serve(args: readonly string[] = []) {
  const child = spawn(process.execPath, [mainFile, "serve", "--port", "0", "--cache", dir, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  let out = "";
  for await (const chunk of child.stdout) {
    out += chunk;
    if (out.includes("\n")) break;
  }
  const [line = ""] = out.split("\n");
  expect(line).toMatch(/^http:\/\/\S+:\d+ serves \//);
  const [url = ""] = line.split(" ");
  return { child, url, port: Number(new URL(url).port) };
}

async function statusOf(url: string, host: string): Promise<number | undefined> {
  const [response] = (await once(get(`${url}/v2/`, { headers: { host } }), "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

describe("mote serve", () => {
  it("accepts on loopback only addresses, localhost and allowed hosts", async () => {
    const { url } = await serve();
    expect(await statusOf(url, "localhost")).toBe(200);
    expect(await statusOf(url, "evil.example")).toBe(421);
    const allowing = await serve(["--allow-host", "mirror.lan", "--allow-host", "other.lan"]);
    for (const host of ["mirror.lan", "other.lan:80", "127.0.0.1"])
      expect(await statusOf(allowing.url, host)).toBe(200);
    expect(await statusOf(allowing.url, "evil.example")).toBe(421);
  });

  it("accepts beyond loopback any host, or only allowed ones", async () => {
    const open = await serve(["--host", "0.0.0.0"]);
    expect(await statusOf(open.url, "anything.example")).toBe(200);
    const closed = await serve(["--host", "0.0.0.0", "--allow-host", "mirror.lan"]);
    expect(await statusOf(closed.url, "anything.example")).toBe(421);
    expect(await statusOf(closed.url, "mirror.lan")).toBe(200);
  });

  it.each([
    ["--port", "65536"],
    ["--port", "-1"],
    ["--port", "0x50"],
    ["--port", "1e3"],
    ["--port", " 80"],
    ["--host", ""],
    ["--host", "0"],
    ["--host", "127.0.0.1:5000"],
    ["--host", "http://127.0.0.1"],
    ["--host", "/run/mote.sock"],
    ["--allow-host", "http://mirror.lan"],
    ["--allow-host", "a@b"],
    ["--allow-host", ""],
    ["--max-connections", "0"],
    ["--max-connections", "many"],
    ["--write-timeout", "0s"],
    ["--write-timeout", "soon"],
  ])("rejects %s %j as wrong usage", async (option, value) => {
    const { status, stderr } = await runMote(["serve", `${option}=${value}`, "--cache", dir]);
    expect([status, stderr.split("\n").length]).toEqual([2, 2]);
    expect(stderr).toContain(option);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends after %s although clients read nothing",
    async (signal) => {
      const { child, port } = await serve();
      const clients = Array.from({ length: 20 }, () => {
        const client = connect(port, "127.0.0.1");
        client.on("error", () => {});
        client.pause();
        client.write(`GET /v2/app/blobs/${layerDigest} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        return client;
      });
      await Promise.all(clients.map((client) => once(client, "readable")));
      child.kill(signal);
      const [code, by] = await once(child, "exit");
      expect([code, by]).toEqual([0, null]);
      for (const client of clients) client.destroy();
    },
    60_000,
  );
});
