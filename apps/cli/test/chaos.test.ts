import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, MoteError, parseManifest, readMote } from "@mote/core";
import { type OpenMoteOptions, openMote } from "@mote/preset";
import {
  type ChaosProxy,
  type DockerRegistry,
  type Effect,
  needs,
  type ProxiedRequest,
  startChaosProxy,
  startDockerRegistry,
} from "@mote/testbed";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

const wanted = needs("docker-registry");
const repository = "lib/model";
const size = 3_000_000;

describe.skipIf(wanted !== "")(`a registry behind a faulty proxy${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  let proxy: ChaosProxy;
  let manifest: Descriptor;
  let layer: Descriptor;
  let caches = 0;
  let cacheDir = "";

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-chaos-"));
    registry = await startDockerRegistry();
    await writeFile(join(dir, "model.bin"), randomBytes(size));
    await writeFile(join(dir, "other.bin"), randomBytes(size));
    await using origin = await openMote({ dir: join(dir, "origin") });
    for (const [tag, name] of [
      ["1", "model.bin"],
      ["2", "other.bin"],
    ] as const) {
      const files = [{ path: join(dir, name) }];
      const report = await origin.pushFiles(files, `docker://${registry.host}/${repository}:${tag}`);
      if (tag === "2") continue;
      manifest = descriptorOf(report.refs[0]?.descriptor);
      const bytes = await readMote(origin.cache, manifest.digest, { maxBytes: 1 << 20 });
      const read = parseManifest(bytes, manifest.mediaType);
      layer = descriptorOf(read.kind === "manifest" ? read.layers[0] : undefined);
    }
  });
  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    proxy = await startChaosProxy(registry.host);
    cacheDir = join(dir, `cache-${++caches}`);
    idleTimeoutMs = longTimeoutMs;
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
  });

  // Long enough for a busy machine, except if a test waits for silence.
  const longTimeoutMs = 30_000;
  let idleTimeoutMs = longTimeoutMs;
  const expectSilence = (code: string) => {
    if (code === "MOTE_TIMEOUT") idleTimeoutMs = 300;
  };

  const source = (tag = "1") => `docker://${proxy.host}/${repository}:${tag}`;
  const open = (options: Partial<OpenMoteOptions> = {}) =>
    openMote({ dir: cacheDir, registries: { retries: 1, idleTimeoutMs }, ...options });

  async function pull(destination?: string, from = source()): Promise<unknown> {
    await using mote = await open();
    try {
      await mote.pull(from, destination);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Returns what is left in the cache after an error: damaged blobs, tags, and ingest files that can be resumed. */
  async function leftInCache(): Promise<{ damaged: number; names: string[]; parts: number }> {
    await using mote = await open();
    const names: string[] = [];
    for await (const { name } of mote.tags.list()) names.push(name);
    const report = await mote.cache.verify?.();
    const ingest = (await readdir(cacheDir, { recursive: true })).filter((path) => /\.(?:part|tmp|read)$/.test(path));
    return { damaged: report?.damaged.length ?? -1, names, parts: ingest.length };
  }

  /** Repeats the pull without faults. Returns the ranges that were requested of the layer. */
  async function pullWithoutFaults(): Promise<(string | undefined)[]> {
    proxy.inject(() => undefined);
    idleTimeoutMs = longTimeoutMs;
    const before = proxy.requests.length;
    expect(await pull()).toBeUndefined();
    return proxy.requests
      .slice(before)
      .filter(isLayer)
      .map(({ headers }) => headers.range);
  }

  /** Returns the offset of the requested range. */
  const firstByte = ({ headers }: ProxiedRequest) => Number(/^bytes=(\d+)-\d*$/.exec(headers.range ?? "bytes=0-")?.[1]);
  const isLayer = ({ method, url }: ProxiedRequest) => method === "GET" && url.endsWith(`/blobs/${layer.digest}`);
  const isManifest = ({ url }: ProxiedRequest) => url.includes("/manifests/");

  interface Case {
    readonly what: string;
    readonly fault: Effect;
    readonly code: string;
    /** The number of resumable ingest files that it leaves. */
    readonly parts: 0 | 1;
  }

  const onBlob: readonly Case[] = [
    { what: "cuts it off each time", fault: { cutAfter: 1_000_000 }, code: "MOTE_SIZE_MISMATCH", parts: 1 },
    { what: "stalls each time", fault: { stallAfter: 1_000_000 }, code: "MOTE_TIMEOUT", parts: 1 },
    { what: "never responds", fault: "silence", code: "MOTE_TIMEOUT", parts: 1 },
    { what: "closes the connection", fault: "hang up", code: "MOTE_UNREACHABLE", parts: 1 },
    { what: "changes a bit at the beginning", fault: { flipAt: 0 }, code: "MOTE_DIGEST_MISMATCH", parts: 0 },
    { what: "changes a bit at the end", fault: { flipAt: size - 1 }, code: "MOTE_DIGEST_MISMATCH", parts: 0 },
    {
      what: "sends a larger Content-Length",
      fault: { headers: { "content-length": "3000001" } },
      code: "MOTE_SIZE_MISMATCH",
      parts: 0,
    },
    {
      what: "sends a smaller Content-Length",
      fault: { headers: { "content-length": "2999999" } },
      code: "MOTE_SIZE_MISMATCH",
      parts: 0,
    },
    {
      what: "sends more bytes without Content-Length",
      fault: { headers: { "content-length": undefined }, body: new Uint8Array(size + 1) },
      code: "MOTE_SIZE_MISMATCH",
      parts: 0,
    },
    {
      what: "sends fewer bytes without Content-Length",
      fault: { headers: { "content-length": undefined }, body: new Uint8Array(size - 1) },
      code: "MOTE_SIZE_MISMATCH",
      parts: 0,
    },
    {
      what: "sends a range that was not requested",
      fault: { status: 206, body: "x" },
      code: "MOTE_REGISTRY",
      parts: 1,
    },
    { what: "does not have it", fault: { status: 404 }, code: "MOTE_NOT_FOUND", parts: 1 },
    {
      what: "limits the rate",
      fault: { status: 429, headers: { "retry-after": "0" } },
      code: "MOTE_RATE_LIMITED",
      parts: 1,
    },
    {
      what: "requires a long wait",
      fault: { status: 503, headers: { "retry-after": "86400" } },
      code: "MOTE_REGISTRY",
      parts: 1,
    },
    { what: "fails", fault: { status: 500, body: "<html>" }, code: "MOTE_REGISTRY", parts: 1 },
    { what: "forbids it", fault: { status: 403 }, code: "MOTE_FORBIDDEN", parts: 1 },
    {
      what: "redirects in a circle",
      fault: { status: 307, headers: { location: "#again" } },
      code: "MOTE_REGISTRY",
      parts: 1,
    },
    {
      what: "redirects to another scheme",
      fault: { status: 307, headers: { location: "file:///etc/passwd" } },
      code: "MOTE_REGISTRY",
      parts: 1,
    },
    { what: "sends an empty response", fault: { status: 204 }, code: "MOTE_REGISTRY", parts: 1 },
  ];

  it.each(onBlob)(
    "if the proxy $what, a blob fails with $code and can be pulled afterwards",
    async ({ fault, code, parts }) => {
      expectSilence(code);
      proxy.inject((asked) => {
        if (!isLayer(asked)) return undefined;
        // Cut or stalled again at the same byte.
        if (typeof fault === "object" && ("cutAfter" in fault || "stallAfter" in fault) && asked.attempt > 0)
          return { ...fault, cutAfter: 0 };
        return fault;
      });
      const error = await pull();
      expect(codeOf(error)).toBe(code);
      expect(error).toMatchObject({ details: { registry: proxy.host, repository, digest: layer.digest } });
      const { message } = error as Error;
      for (const named of [proxy.host, repository, layer.digest]) expect(message).toContain(named);
      const left = await leftInCache();
      expect(left).toMatchObject({ damaged: 0, names: [] });
      expect(left.parts).toBeLessThanOrEqual(parts);
      await pullWithoutFaults();
    },
  );

  it("a truncated blob is resumed at that byte in the next run, and only there", async () => {
    proxy.inject((asked) => (isLayer(asked) ? { cutAfter: asked.attempt === 0 ? 1_000_000 : 0 } : undefined));
    expect(codeOf(await pull())).toBe("MOTE_SIZE_MISMATCH");
    const [range, ...more] = await pullWithoutFaults();
    // The last bytes before the break may not have arrived.
    expect(range).toMatch(/^bytes=[1-9]\d*-2999999$/);
    expect(more).toEqual([]);
  });

  it("a blob with a wrong range is read again, once", async () => {
    proxy.inject((asked) => {
      if (!isLayer(asked)) return undefined;
      return asked.attempt === 0 ? { flipAt: 7, cutAfter: 1_000_000 } : { cutAfter: 0 };
    });
    expect(codeOf(await pull())).toBe("MOTE_SIZE_MISMATCH");
    expect(await pullWithoutFaults()).toEqual([expect.stringMatching(/^bytes=[1-9]/), undefined]);
  });

  it("a truncated blob continues although Range is ignored afterwards", async () => {
    proxy.inject((asked) => (isLayer(asked) && asked.attempt === 0 ? { cutAfter: 1_000_000 } : { dropRange: true }));
    expect(await pull()).toBeUndefined();
    expect(await leftInCache()).toMatchObject({ damaged: 0, parts: 0 });
  });

  it.each<[string, (start: number) => string, string]>([
    ["has another total size", (start) => `bytes ${start}-3999999/4000000`, "MOTE_SIZE_MISMATCH"],
  ])("a range that %s is rejected", async (_, range, code) => {
    proxy.inject((asked) => {
      if (!isLayer(asked)) return undefined;
      if (asked.attempt === 0) return { cutAfter: 1_000_000 };
      return { headers: { "content-range": range(firstByte(asked)) } };
    });
    const error = await pull();
    expect([codeOf(error), error]).toMatchObject([code, { details: { registry: proxy.host, digest: layer.digest } }]);
    expect(await leftInCache()).toMatchObject({ damaged: 0, names: [] });
    await pullWithoutFaults();
  });

  it.each<[string, (start: number) => string]>([
    ["starts elsewhere", () => "bytes 0-2999999/3000000"],
    ["ends elsewhere", (start) => `bytes ${start}-2999998/3000000`],
    ["is nonsense", () => "bytes x"],
  ])(
    "a range that claims that it %s is not trusted, and the blob is read completely and correctly",
    async (_, range) => {
      proxy.inject((asked) => {
        if (!isLayer(asked)) return undefined;
        if (asked.attempt === 0) return { cutAfter: 1_000_000 };
        return { headers: { "content-range": range(firstByte(asked)) } };
      });
      expect(await pull()).toBeUndefined();
      expect(await leftInCache()).toMatchObject({ damaged: 0, parts: 0 });
    },
  );

  it("a range with wrong bytes is detected by the digest, and the blob is read again", async () => {
    proxy.inject((asked) => {
      if (!isLayer(asked)) return undefined;
      return asked.attempt === 0 ? { cutAfter: 1_000_000 } : { body: new Uint8Array(size - firstByte(asked)) };
    });
    expect(codeOf(await pull())).toBe("MOTE_DIGEST_MISMATCH");
    expect(await leftInCache()).toEqual({ damaged: 0, names: [], parts: 0 });
    expect(await pullWithoutFaults()).toEqual([undefined]);
  });

  const onManifest: readonly (readonly [string, Effect, string])[] = [
    ["changes a bit", { flipAt: 30 }, "MOTE_DIGEST_MISMATCH"],
    // Only its digest is known before, so the missing bytes of its Content-Length time out.
    ["sends a larger Content-Length", { headers: { "content-length": "5000" } }, "MOTE_TIMEOUT"],
    ["sends a smaller Content-Length", { headers: { "content-length": "10" } }, "MOTE_DIGEST_MISMATCH"],
    [
      "sends something else",
      { headers: { "content-length": undefined }, body: new Uint8Array(10) },
      "MOTE_DIGEST_MISMATCH",
    ],
    [
      "sends an endless body",
      { headers: { "content-length": undefined }, body: new Uint8Array(5 << 20) },
      "MOTE_TOO_LARGE",
    ],
    [
      "sends a login page",
      { headers: { "content-type": "text/html", "content-length": undefined }, body: Buffer.from("<html>") },
      "MOTE_REGISTRY",
    ],
    ["cuts it off", { cutAfter: 10 }, "MOTE_UNREACHABLE"],
    ["stalls", { stallAfter: 10 }, "MOTE_TIMEOUT"],
    ["never responds", "silence", "MOTE_TIMEOUT"],
    ["limits the rate", { status: 429, headers: { "retry-after": "0" } }, "MOTE_RATE_LIMITED"],
    ["fails", { status: 503 }, "MOTE_REGISTRY"],
  ];

  it.each(onManifest)("if the proxy %s, a manifest leaves nothing behind", async (_, fault, code) => {
    expectSilence(code);
    proxy.inject((asked) => (asked.method === "GET" && isManifest(asked) ? fault : undefined));
    const error = await pull(undefined, `docker://${proxy.host}/${repository}@${manifest.digest}`);
    expect(codeOf(error)).toBe(code);
    expect(error).toMatchObject({ details: { registry: proxy.host, repository, digest: manifest.digest } });
    const { message } = error as Error;
    for (const named of [proxy.host, repository, manifest.digest]) expect(message).toContain(named);
    expect(await leftInCache()).toEqual({ damaged: 0, names: [], parts: 0 });
    expect(proxy.requests.filter(isLayer)).toEqual([]);
    await pullWithoutFaults();
  });

  it.each([
    ["a manifest", isManifest],
    ["a blob", isLayer],
  ])(
    "%s with a wrong type and a coding that it does not have is read as the bytes of its digest",
    async (_, isMeant) => {
      const headers = { "content-type": "text/html", "content-encoding": "gzip" };
      proxy.inject((asked) => (asked.method === "GET" && isMeant(asked) ? { headers } : undefined));
      expect(await pull(undefined, `docker://${proxy.host}/${repository}@${manifest.digest}`)).toBeUndefined();
      expect(await leftInCache()).toMatchObject({ damaged: 0, parts: 0 });
    },
  );

  // A tag in the cache is requested by HEAD; a new one is fetched with its manifest in one request.
  it("a tag that moves between two requests results in the complete first image", async () => {
    await using mote = await open();
    await mote.pull(source("2"));
    const { digest } = manifest;
    proxy.inject((asked) => {
      if (asked.method !== "HEAD" || !asked.url.endsWith("/manifests/2")) return undefined;
      return { headers: { "docker-content-digest": digest, "content-length": String(manifest.size) } };
    });
    const report = await mote.pull(source("2"));
    expect(report.refs[0]?.descriptor.digest).toBe(digest);
    expect(await mote.cache.moteExists(layer.digest)).toBe(true);
  });

  it("a HEAD with a wrong digest is rejected, and cached content stays", async () => {
    await pullWithoutFaults();
    const kept = await leftInCache();
    const wrong = `sha256:${"0".repeat(64)}`;
    const lie: Effect = { headers: { "docker-content-digest": wrong } };
    proxy.inject((asked) => (asked.method === "HEAD" && isManifest(asked) ? lie : undefined));
    expect(codeOf(await pull())).toBe("MOTE_NOT_FOUND");
    proxy.inject((asked) => (isManifest(asked) ? lie : undefined));
    expect(codeOf(await pull())).toBe("MOTE_NOT_FOUND");
    expect(await leftInCache()).toEqual(kept);
  });

  it("a manifest with a wrong digest is rejected", async () => {
    const wrong = `sha256:${"0".repeat(64)}`;
    proxy.inject((asked) => (isManifest(asked) ? { headers: { "docker-content-digest": wrong } } : undefined));
    expect(codeOf(await pull())).toBe("MOTE_DIGEST_MISMATCH");
    expect(await leftInCache()).toEqual({ damaged: 0, names: [], parts: 0 });
  });

  it("the command reports it on one line, with the code under --json", async () => {
    proxy.inject((asked) => (isLayer(asked) ? { flipAt: 5 } : undefined));
    const plain = await runMote(["pull", source(), "--cache", cacheDir]);
    expect(plain).toMatchObject({ status: 1, stdout: "" });
    expect(
      plain.stderr
        .trim()
        .split("\n")
        .filter((line) => line.startsWith("mote: ")),
    ).toHaveLength(1);
    const json = await runMote(["pull", source(), "--cache", cacheDir, "--json"]);
    const { error } = JSON.parse(json.stderr.trim().split("\n").at(-1) ?? "");
    expect(error).toMatchObject({
      code: "MOTE_DIGEST_MISMATCH",
      details: { registry: proxy.host, repository, digest: layer.digest },
    });
  });
});

function descriptorOf(found: Descriptor | undefined): Descriptor {
  if (found === undefined) throw new TypeError("nothing was pushed");
  return found;
}

function codeOf(error: unknown): unknown {
  return MoteError.isInstance(error) ? error.code : error;
}
