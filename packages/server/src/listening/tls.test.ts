import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { MemoryTagStore } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeCertificate } from "../../test/certificate.js";
import { MemorySource, putInRepository } from "../../test/memory-source.js";
import { type RegistryServer, type ServeOptions, serve, type TlsFiles } from "../index.js";
import { readTlsPair } from "./tls.js";

let folder: string;
let files: TlsFiles;
let running: RegistryServer[];
let errors: string[];
const source = new MemorySource();
const tags = new MemoryTagStore();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-tls-"));
  files = makeCertificate(folder, "first");
  running = [];
  errors = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(running.map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

async function start(options: Partial<ServeOptions> = {}): Promise<RegistryServer> {
  const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => errors.push(message) };
  const server = await serve({ source, tags, tls: files, logger, ...options });
  running.push(server);
  return server;
}

/** Returns the subject of the certificate that new connections get. */
async function subjectOf({ port }: RegistryServer): Promise<unknown> {
  const socket: TLSSocket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

/** Replaces certificate and key by a new pair. */
function renew(name: string): void {
  const renewed = makeCertificate(folder, name);
  renameSync(renewed.certFile, files.certFile);
  renameSync(renewed.keyFile, files.keyFile);
}

describe("a server with TLS", () => {
  it("serves blobs to clients that trust its certificate", async () => {
    const bytes = new Uint8Array(4 * 1024 * 1024).fill(7);
    const digest = source.put(bytes);
    await putInRepository(source, tags, "a", digest);
    const { url } = await start();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const agent = new Agent({ ca: readFileSync(files.certFile) });
    const [response] = await once(get(`${url}/v2/a/blobs/${digest}`, { agent }), "response");
    expect(response.statusCode).toBe(200);
    let length = 0;
    for await (const chunk of response) length += chunk.length;
    expect(length).toBe(bytes.byteLength);
    agent.destroy();
  });

  it("uses a new pair for new connections, and keeps those that are open", async () => {
    const server = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    const request = async () => {
      const [response] = await once(get(`${server.url}/v2/`, { agent }), "response");
      const { localPort } = response.socket;
      response.resume();
      await once(response, "end");
      return localPort;
    };
    const port = await request();
    renew("second");
    server.reloadTls();
    expect(await subjectOf(server)).toBe("second");
    expect(await request()).toBe(port);
    agent.destroy();
  });

  it("keeps its pair and says so if a new one is not valid", async () => {
    const server = await start();
    const other = makeCertificate(folder, "other");
    writeFileSync(files.keyFile, readFileSync(other.keyFile));
    server.reloadTls();
    rmSync(files.certFile);
    server.reloadTls();
    expect(await subjectOf(server)).toBe("first");
    expect(errors).toEqual([expect.stringContaining("does not belong"), expect.stringContaining("ENOENT")]);
    for (const error of errors) expect(error).toMatch(/; the certificate in use stays$/);
  });

  it("disconnects a client that reads nothing", async () => {
    const digest = source.put(new Uint8Array(64 * 1024 * 1024));
    await putInRepository(source, tags, "a", digest);
    const server = await start({ writeTimeoutMs: 100 });
    const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    socket.on("error", () => {});
    socket.pause();
    socket.write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await vi.waitUntil(() => source.openReaders === 1, { timeout: 30_000 });
    await vi.waitUntil(() => source.openReaders === 0, { timeout: 30_000 });
    socket.destroy();
  });

  it("closes without waiting for handshakes that do not complete", async () => {
    const server = await start();
    const silent = connectTcp(server.port, "127.0.0.1");
    const closed = once(silent, "close");
    await once(silent, "connect");
    expect(await subjectOf(server)).toBe("first");
    await server.close();
    await closed;
  });
});

describe("certificate and key", () => {
  it.each([
    ["a missing certificate", () => rmSync(files.certFile), "ENOENT"],
    ["a missing key", () => rmSync(files.keyFile), "ENOENT"],
    ["a certificate that is not PEM", () => writeFileSync(files.certFile, "x"), "is not a certificate in PEM"],
    ["a key that is not PEM", () => writeFileSync(files.keyFile, "x"), "is not a private key without a passphrase"],
    [
      "another key",
      () => writeFileSync(files.keyFile, readFileSync(makeCertificate(folder, "other").keyFile)),
      "does not belong to it",
    ],
    [
      "an expired certificate",
      () => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3 * 864e5 }),
      "it expired on",
    ],
    [
      "a certificate that is not valid yet",
      () => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3 * 864e5 }),
      "it is not valid before",
    ],
  ])("are rejected with %s", (_, spoil, reason) => {
    expect(readTlsPair(files).cert).toContain("BEGIN CERTIFICATE");
    spoil();
    expect(() => readTlsPair(files)).toThrow(expect.objectContaining({ code: "MOTE_CONFIG" }));
    expect(() => readTlsPair(files)).toThrow(reason);
  });
});
