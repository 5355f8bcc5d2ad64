import { needs } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RegistryClient, type RegistryClientOptions } from "../src/client.js";
import { RegistryRepository } from "../src/pull/repository.js";
import { RegistryDestination } from "../src/push/destination.js";
import { makeCertificate } from "./certificate.js";
import { sendRange, serveImage } from "./fake-registry.js";
import { makeImage } from "./image.js";
import { codeOf, read, sameBytes, shownBy } from "./outcome.js";
import { startProxy, type TestProxy } from "./proxy-server.js";
import { serve } from "./server.js";
import { serveUploads } from "./upload-server.js";

const image = makeImage(400_000);
const [layer = image.config] = image.layers;

const opened: AsyncDisposable[] = [];
beforeEach(() => {
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"]) {
    vi.stubEnv(name, "");
    vi.stubEnv(name.toLowerCase(), "");
  }
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function proxy(options: Parameters<typeof startProxy>[0]): Promise<TestProxy> {
  const started = await startProxy(options);
  opened.push(started);
  return started;
}

function clientOf(options: RegistryClientOptions = {}): RegistryClient {
  const client = new RegistryClient({ plainHttp: true, retryDelayMs: 1, retries: 0, ...options });
  opened.push(client);
  return client;
}

function repositoryAt(registry: string, options: RegistryClientOptions = {}): RegistryRepository {
  return new RegistryRepository(clientOf(options), { registry, repository: "a/b" });
}

async function imageServer() {
  const server = await serveImage(image);
  opened.push(server);
  return server;
}

describe("a registry in plain HTTP", () => {
  it("is requested through a proxy without tunnels, in absolute form", async () => {
    const server = await imageServer();
    const through = await proxy({ target: server.host, withoutTunnels: true });
    vi.stubEnv("HTTP_PROXY", through.url);
    const repository = repositoryAt("registry.invalid:5000");
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(sameBytes(await read(await repository.blob(layer)), image.blobs.get(layer.digest))).toBe(true);
    expect(through.seen.every((line) => /^(?:GET|HEAD) http:\/\/registry\.invalid:5000\/v2\/a\/b\//.test(line))).toBe(
      true,
    );
    expect(server.seen[0]?.headers.host).toBe("registry.invalid:5000");
    expect(Object.keys(server.seen[0]?.headers ?? {}).filter((name) => name.startsWith("proxy"))).toEqual([]);
  });

  it("receives uploads through it", async () => {
    const server = await serveUploads();
    opened.push(server);
    const through = await proxy({ target: server.host, withoutTunnels: true });
    vi.stubEnv("http_proxy", through.url);
    const place = { registry: "registry.invalid", repository: "a/b" };
    const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();
    await new RegistryDestination(clientOf(), place).blob(
      layer,
      (async function* () {
        yield bytes;
      })(),
    );
    expect(sameBytes(bytes, server.blobs.get(layer.digest))).toBe(true);
  });

  it("on loopback is requested directly", async () => {
    const server = await imageServer();
    const through = await proxy({ status: 500 });
    vi.stubEnv("HTTP_PROXY", through.url);
    vi.stubEnv("ALL_PROXY", through.url);
    for (const host of [server.host, server.host.replace("127.0.0.1", "localhost")]) {
      expect(await repositoryAt(host).resolve("v1")).toEqual(image.manifest);
    }
    expect(through.seen).toEqual([]);
  });

  it("in NO_PROXY is requested directly", async () => {
    const through = await proxy({ status: 500 });
    vi.stubEnv("HTTP_PROXY", through.url);
    vi.stubEnv("NO_PROXY", "10.0.0.0/8, .invalid");
    expect(await codeOf(repositoryAt("registry.invalid").resolve("v1"))).toBe("MOTE_UNREACHABLE");
    expect(through.seen).toEqual([]);
  });
});

const wanted = needs("openssl");

describe.skipIf(wanted !== "")(`a registry over TLS${wanted}`, () => {
  const mine = wanted !== "" ? { key: "", cert: "" } : makeCertificate("mine");

  async function secureServer() {
    const server = await serve((request, response) => sendRange(request, response, image.manifestBytes), mine);
    opened.push(server);
    return server;
  }

  it("is requested through a tunnel, with the login of the proxy, which the registry does not receive", async () => {
    const server = await secureServer();
    const through = await proxy({ target: server.host, login: "ann@corp:s3:cret/" });
    vi.stubEnv("HTTPS_PROXY", through.url.replace("://", "://ann%40corp:s3%3Acret%2F@"));
    const repository = repositoryAt("registry.invalid:5000", { plainHttp: false, insecure: true });
    expect(await repository.manifest(image.manifest)).toEqual(image.manifestBytes);
    expect(through.seen).toEqual(["CONNECT registry.invalid:5000"]);
    expect(Object.keys(server.seen[0]?.headers ?? {}).filter((name) => name.startsWith("proxy"))).toEqual([]);
  });

  it("is requested through a proxy over TLS, and so is a registry in plain HTTP", async () => {
    const server = await secureServer();
    const plain = await imageServer();
    for (const [target, plainHttp, said] of [
      [server.host, false, "CONNECT registry.invalid:443"],
      [plain.host, true, `GET http://registry.invalid/v2/a/b/manifests/${image.manifest.digest}`],
    ] as const) {
      const through = await proxy({ target, tls: mine, login: "ann:s3cret" });
      vi.stubEnv("ALL_PROXY", through.url.replace("://", "://ann:s3cret@"));
      const options = { plainHttp, ca: mine.cert, ...(plainHttp ? {} : { insecure: ["registry.invalid"] }) };
      const repository = repositoryAt("registry.invalid", options);
      expect(await repository.manifest(image.manifest)).toEqual(image.manifestBytes);
      expect(through.seen).toEqual([said]);
    }
  });
});

describe("a failing proxy is reported with its variable and without its password", () => {
  it.each([
    [407, "wants a user name and password"],
    [403, "refuses to connect to registry.invalid"],
    [405, "refuses to connect to registry.invalid"],
    [502, "cannot reach registry.invalid"],
    [504, "cannot reach registry.invalid"],
  ])("with %i to a tunnel", async (status, says) => {
    const through = await proxy({ status });
    vi.stubEnv("HTTPS_PROXY", through.url.replace("://", "://ann:s3cret@"));
    const asked = repositoryAt("registry.invalid", { plainHttp: false }).resolve("v1");
    expect(await codeOf(asked)).toBe("MOTE_UNREACHABLE");
    const shown = await shownBy(asked);
    expect(shown).toContain(`the proxy ${through.host} (HTTPS_PROXY) ${says}`);
    expect(shown).toContain(`[${status}]`);
    expect(shown).not.toMatch(/s3cret|YW5uOnMzY3JldA/);
    expect(through.seen).toHaveLength(1);
  });

  it("and receives one request for a tunnel for concurrent requests", async () => {
    const through = await proxy({ status: 403 });
    vi.stubEnv("HTTPS_PROXY", through.url);
    const repository = repositoryAt("registry.invalid", { plainHttp: false });
    const codes = ["v1", "v2", "v3"].map((tag) => codeOf(repository.resolve(tag)));
    expect(await Promise.all(codes)).toEqual(["MOTE_UNREACHABLE", "MOTE_UNREACHABLE", "MOTE_UNREACHABLE"]);
    expect(through.seen).toEqual(["CONNECT registry.invalid:443"]);
  });

  it("with 407 to a request", async () => {
    const through = await proxy({ login: "ann:other" });
    vi.stubEnv("http_proxy", through.url.replace("://", "://ann:s3cret@"));
    const asked = repositoryAt("registry.invalid").resolve("v1");
    expect(await codeOf(asked)).toBe("MOTE_UNREACHABLE");
    const shown = await shownBy(asked);
    expect(shown).toContain(
      `the proxy ${through.host} (http_proxy) wants a user name and password, or refuses them [407]`,
    );
    expect(shown).not.toMatch(/s3cret|YW5uOnMzY3JldA/);
  });

  it("if it is unreachable", async () => {
    const through = await startProxy({});
    await through[Symbol.asyncDispose]();
    for (const [variable, plainHttp] of [
      ["HTTP_PROXY", true],
      ["HTTPS_PROXY", false],
    ] as const) {
      vi.stubEnv(variable, through.url.replace("://", "://ann:s3cret@"));
      const asked = repositoryAt("registry.invalid", { plainHttp }).resolve("v1");
      expect(await codeOf(asked)).toBe("MOTE_UNREACHABLE");
      const shown = await shownBy(asked);
      expect(shown).toContain(`the proxy ${through.host} (${variable}) cannot be reached [ECONNREFUSED]`);
      expect(shown).not.toContain("s3cret");
    }
  });

  it("if it never responds", async () => {
    const silent = await serve(() => {});
    opened.push(silent);
    for (const [variable, plainHttp] of [
      ["HTTP_PROXY", true],
      ["HTTPS_PROXY", false],
    ] as const) {
      vi.stubEnv(variable, `http://ann:s3cret@${silent.host}`);
      const options = { plainHttp, connectTimeoutMs: 100, answerTimeoutMs: 100, idleTimeoutMs: 30_000 };
      const asked = repositoryAt("registry.invalid", options).resolve("v1");
      expect(await codeOf(asked)).toBe("MOTE_TIMEOUT");
      const shown = await shownBy(asked);
      expect(shown).toContain(`by way of the proxy ${silent.host} (${variable})`);
      expect(shown).not.toContain("s3cret");
    }
  });

  it("if it sends single bytes slowly", async () => {
    const server = await serveImage(image, (_, response) => {
      response.writeHead(200, { "content-type": image.manifest.mediaType, "content-length": image.manifest.size });
      const timer = setInterval(() => response.write("x"), 20);
      response.once("close", () => clearInterval(timer));
      return true;
    });
    opened.push(server);
    vi.stubEnv("HTTP_PROXY", (await proxy({ target: server.host })).url);
    const dripping = repositoryAt("registry.example", { idleTimeoutMs: 300 }).manifest(image.manifest);
    expect(await codeOf(dripping)).toBe("MOTE_TIMEOUT");
  });

  it("if it is not a URL", async () => {
    vi.stubEnv("HTTP_PROXY", "http://ann:s3cret@[bad");
    const asked = repositoryAt("registry.example").resolve("v1");
    expect(await codeOf(asked)).toBe("MOTE_CONFIG");
    expect(await shownBy(asked)).toContain("HTTP_PROXY");
    expect(await shownBy(asked)).not.toContain("s3cret");
  });
});
