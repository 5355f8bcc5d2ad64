import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { listenOnLoopback } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";
import { startServe } from "./start-serve.js";

const root = mkdtempSync(join(tmpdir(), "mote-serve-"));
const dir = join(root, "cache");
const layer = new Uint8Array(48 * 1024 * 1024);
const layerDigest = digestBytes(layer);

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
afterAll(() => rmSync(root, { recursive: true }));

const serve = (args: readonly string[] = []) => startServe(dir, args);

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
    const open = await serve(["--host", "0.0.0.0", "--anonymous-pull"]);
    expect(await statusOf(open.url, "anything.example")).toBe(200);
    const closed = await serve(["--host", "0.0.0.0", "--anonymous-pull", "--allow-host", "mirror.lan"]);
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
    ["--host", "0.0.0.0"],
    ["--host", "::"],
    ["--host", "mirror.lan"],
    ["--tls-cert", "cert.pem"],
    ["--tls-key", "key.pem"],
    ["--limit-client", "0"],
    ["--limit-client", "/5MB"],
    ["--limit-client", "5/0"],
    ["--workers", "0"],
    ["--workers", "2000"],
  ])("rejects %s %j as wrong usage", async (option, value) => {
    const { status, stderr } = await runMote(["serve", `${option}=${value}`, "--cache", dir]);
    expect([status, stderr.split("\n").length]).toEqual([2, 2]);
    expect(stderr).toContain(option);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends after %s although clients read nothing",
    async (signal) => {
      const { child, port } = await serve(["--grace", "1s"]);
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

  it("lets a transfer end after SIGTERM, and is not ready meanwhile", async () => {
    const { child, url, lines } = await serve(["--grace", "1h"]);
    const [response] = await once(get(`${url}/v2/app/blobs/${layerDigest}`), "response");
    await once(response, "readable");
    child.kill("SIGTERM");
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/v2/`)).status).toBe(503);
    expect(lines().at(-1)).toMatch(/^Stopping; transfers may end within 1h/);
    let length = 0;
    for await (const chunk of response) length += chunk.length;
    expect(length).toBe(layer.byteLength);
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  it("ends at once at the second signal", async () => {
    const { child, url } = await serve(["--grace", "1h"]);
    const [response] = await once(get(`${url}/v2/app/blobs/${layerDigest}`), "response");
    response.on("error", () => {});
    child.kill("SIGTERM");
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([130, null]);
  });

  it("lets a fetch from an upstream end after SIGTERM, for the client that reads it", async () => {
    const bytes = new Uint8Array(1024 * 1024).fill(3);
    const digest = digestBytes(bytes);
    let finish = () => {};
    const upstream = createServer(({ url = "", method }, response) => {
      const isBlob = url.includes("/blobs/");
      response.writeHead(isBlob ? 200 : 404, isBlob ? { "content-length": bytes.byteLength } : {});
      if (!isBlob || method === "HEAD") response.end();
      else response.write(bytes.subarray(0, 512 * 1024));
      finish = () => response.end(bytes.subarray(512 * 1024));
    });
    const host = await listenOnLoopback(upstream);
    const mirror = await startServe(join(root, "mirror"), ["--upstream", host, "--grace", "1h"]);
    const [response] = await once(get(`${mirror.url}/v2/team/app/blobs/${digest}`), "response");
    await once(response, "readable");
    mirror.child.kill("SIGTERM");
    await expect.poll(async () => (await fetch(`${mirror.url}/readyz`)).status).toBe(503);
    finish();
    let length = 0;
    for await (const chunk of response) length += chunk.length;
    expect(length).toBe(bytes.byteLength);
    expect(await once(mirror.child, "exit")).toEqual([0, null]);
    upstream.close();
  });
});
