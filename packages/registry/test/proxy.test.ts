import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { RegistryClient, type RegistryClientOptions, RegistryRepository } from "../src/index.js";
import { serveImage } from "./fake-registry.js";
import { makeImage } from "./image.js";
import { codeOf, shownBy } from "./outcome.js";

const image = makeImage(100);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A proxy that leads every tunnel to `target`, or refuses it. */
async function proxyTo(target: string | undefined) {
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer().listen(0, "127.0.0.1");
  server.on("connection", (socket) => sockets.add(socket));
  server.on("connect", (request, socket: Socket) => {
    tunnels.push(request.url ?? "");
    if (target === undefined) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const [host, port] = target.split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    for (const one of [socket, onward]) one.on("error", () => {});
  });
  await once(server, "listening");
  opened.push({
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tunnels };
}

function repositoryAt(registry: string, options: RegistryClientOptions = {}): RegistryRepository {
  const client = new RegistryClient({
    plainHttp: true,
    retryDelayMs: 1,
    retries: 0,
    connectTimeoutMs: 500,
    ...options,
  });
  opened.push(client);
  return new RegistryRepository(client, { registry, repository: "a/b" });
}

describe("a proxy of the environment", () => {
  it("that brings a byte now and then is given up like any host", async () => {
    const server = await serveImage(image, (_, response) => {
      response.writeHead(200, { "content-type": image.manifest.mediaType, "content-length": image.manifest.size });
      const timer = setInterval(() => response.write("x"), 20);
      response.once("close", () => clearInterval(timer));
      return true;
    });
    opened.push(server);
    vi.stubEnv("HTTP_PROXY", (await proxyTo(server.host)).url);
    const dripping = repositoryAt("registry.example", { idleTimeoutMs: 300 }).manifest(image.manifest);
    expect(await codeOf(dripping)).toBe("MOTE_TIMEOUT");
  });

  it("is used for hosts that are not on loopback", async () => {
    const server = await serveImage(image);
    opened.push(server);
    const proxy = await proxyTo(server.host);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    expect(await repositoryAt("registry.invalid:5000").resolve("v1")).toEqual(image.manifest);
    expect(proxy.tunnels).toEqual(["registry.invalid:5000"]);
    expect(await repositoryAt(server.host).resolve("v1")).toEqual(image.manifest);
    expect(proxy.tunnels).toHaveLength(1);
  });

  it("is not used for the hosts of NO_PROXY", async () => {
    const proxy = await proxyTo(undefined);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    vi.stubEnv("NO_PROXY", "registry.invalid");
    expect(await codeOf(repositoryAt("registry.invalid").resolve("v1"))).toBe("MOTE_UNREACHABLE");
    expect(proxy.tunnels).toEqual([]);
  });

  it("that refuses makes a registry unreachable", async () => {
    const proxy = await proxyTo(undefined);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    expect(await codeOf(repositoryAt("registry.invalid").resolve("v1"))).toBe("MOTE_UNREACHABLE");
    expect(proxy.tunnels).toEqual(["registry.invalid:80"]);
  });

  it("that is no URL is an error in the settings, without its password", async () => {
    vi.stubEnv("HTTP_PROXY", "http://ann:s3cret@[bad");
    const client = new RegistryClient({ plainHttp: true });
    const asked = new RegistryRepository(client, { registry: "registry.example", repository: "a/b" }).resolve("v1");
    expect(await codeOf(asked)).toBe("MOTE_CONFIG");
    expect(await shownBy(asked)).not.toContain("s3cret");
    await client.close();
  });
});
