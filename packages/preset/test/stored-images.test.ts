import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, mediaTypes } from "@mote/core";
import type { TransferEvent } from "@mote/transfer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenMote, type OpenMoteOptions, openMote } from "../src/index.js";
import { type FailingRegistry, type Failure, startFailingRegistry } from "./failing-registry.js";

let root: string;
let registry: FailingRegistry;
let stored: Digest;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-stored-"));
  registry = await startFailingRegistry();
  const mote = await open();
  const report = await mote.pull(source());
  stored = report.refs[0]?.descriptor.digest as Digest;
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

// For tests that do not wait for the time limit of a registry.
const slowFallback = { fallbackAfterMs: 60_000 };

const source = () => `docker://${registry.host}/a/b:1`;

async function open(options: Partial<OpenMoteOptions> = {}): Promise<OpenMote> {
  const registries = { retries: 1, fallbackAfterMs: 300, ...options.registries };
  const mote = await openMote({ dir: join(root, "cache"), ...options, registries });
  opened.push(mote);
  return mote;
}

async function digestIn(layout: string): Promise<unknown> {
  return JSON.parse(await readFile(join(root, layout, "index.json"), "utf8")).manifests[0].digest;
}

const status = (code: number, headers: Record<string, string> = {}): Failure => {
  return (_, response) => {
    response.writeHead(code, headers).end();
    return true;
  };
};

const body = (type: string, text: string): Failure => {
  return (_, response) => {
    response.writeHead(200, { "content-type": type }).end(text);
    return true;
  };
};

const silence: Failure = () => true;

/** Applies a failure only to requests for manifests. */
const ofManifests = (failure: Failure): Failure => {
  return (request, response) => request.url?.includes("/manifests/") === true && failure(request, response);
};

/** Requires a token of the token service `service`. */
const withToken = (realm: (host: string) => string, service: Failure = () => false): Failure => {
  return (request, response) => {
    if (request.url?.startsWith("/token")) return service(request, response);
    const challenge = `Bearer realm="${realm(registry.host)}",service="s"`;
    return status(401, { "www-authenticate": challenge })(request, response);
  };
};

const own = (host: string) => `http://${host}/token`;
const unreachable = () => "http://127.0.0.1:9/token";

const kinds: Readonly<Record<string, Failure>> = {
  ...Object.fromEntries(
    [408, 429, 500, 501, 502, 503, 504, 511, 520, 521, 522, 523, 524, 530].map((code) => [String(code), status(code)]),
  ),
  "429 for a day": status(429, { "retry-after": "86400" }),
  "429 for a minute": status(429, { "retry-after": "59" }),
  "503 for an absurd time": status(503, { "retry-after": "9".repeat(400) }),
  "a redirect that leads nowhere": status(307),
  "a redirect in a circle": (request, response) => status(307, { location: request.url ?? "" })(request, response),
  "a redirect to unreachable": status(302, { location: "http://127.0.0.1:9/" }),
  "a redirect to a login page": (request, response) =>
    request.url === "/login"
      ? body("text/html", "<html>")(request, response)
      : status(302, { location: "/login" })(request, response),
  "a cut before the head": (request) => request.socket.destroy() !== undefined,
  "a cut in the head": (request) => {
    request.socket.end("HTTP/1.1 200 OK\r\ncontent-le");
    return true;
  },
  "a cut in the body": (_, response) => {
    response.writeHead(200, { "content-type": mediaTypes.ociManifest, "content-length": 900 });
    response.write("{", () => response.destroy());
    return true;
  },
  "silence before the head": silence,
  "silence in the body": (_, response) => {
    response.writeHead(200, { "content-type": mediaTypes.ociManifest, "content-length": 900 });
    return response.write("{") || true;
  },
  "what is not HTTP": (request) => {
    request.socket.end("SSH-2.0-OpenSSH_9.2\r\n");
    return true;
  },
  "a login page": body("text/html; charset=utf-8", "<html>log in</html>"),
  "JSON that is not a manifest": body("application/json", '{"login":"please"}'),
  "what calls itself a manifest": body(mediaTypes.ociManifest, '{"login":"please"}'),
  "no body": body(mediaTypes.ociManifest, ""),
  "another digest than its bytes have": (_, response) => {
    const headers = { "content-type": mediaTypes.ociManifest, "docker-content-digest": `sha256:${"a".repeat(64)}` };
    return response.writeHead(200, headers).end("{}") === response;
  },
  "a token service that fails": withToken(own, status(500)),
  "a token service that is not found": withToken(own, status(404)),
  "a token service that is silent": withToken(own, silence),
  "a token service that gives a page": withToken(own, body("text/html", "<html>")),
  "a token service that is not there": withToken(unreachable),
};

describe("if a registry fails with", () => {
  it.each(Object.entries(kinds))("%s, the stored image is used, with one warning", async (_, failure) => {
    registry.fail(failure);
    await using mote = await open();
    const events: TransferEvent[] = [];
    const report = await mote.pull(source(), `oci:${root}/layout:1`, { onEvent: (event) => events.push(event) });
    expect(await digestIn("layout")).toBe(stored);
    expect(report.warnings).toHaveLength(1);
    const [warning = ""] = report.warnings;
    expect(warning).toContain(`using ${registry.host}/a/b:1 as it is stored`);
    expect(warning).toContain(stored.slice(0, "sha256:".length + 12));
    expect(warning).not.toContain("\n");
    expect(events.filter(({ type }) => type === "warning")).toHaveLength(1);
  });

  it.each([
    [401, "MOTE_UNAUTHORIZED"],
    [403, "MOTE_FORBIDDEN"],
    [404, "MOTE_NOT_FOUND"],
  ])("%i, that is the error, which says what is stored", async (code, error) => {
    registry.fail(status(code));
    await using mote = await open({ registries: slowFallback });
    await expect(mote.pull(source(), `oci:${root}/layout:1`)).rejects.toMatchObject({
      code: error,
      details: { status: code, stored },
    });
  });

  it.each(Object.entries(kinds))("%s, an image that is not stored is an error with a code", async (_, failure) => {
    registry.fail(failure);
    // A silent host would delay it until its time limit.
    await using mote = await open({
      dir: join(root, "empty"),
      registries: { retries: 0, answerTimeoutMs: 200, idleTimeoutMs: 200 },
    });
    await expect(mote.pull(source())).rejects.toMatchObject({
      code: expect.stringMatching(
        /^MOTE_(UNREACHABLE|TIMEOUT|RATE_LIMITED|REGISTRY|INVALID_MANIFEST|DIGEST_MISMATCH|SIZE_MISMATCH)$/,
      ),
      message: expect.stringContaining("127.0.0.1:"),
    });
  });
});

describe("a tag that was moved", () => {
  it.each(["a cut in the body", "silence before the head", "503", "what calls itself a manifest"])(
    "to a manifest that ends in %s, the stored image is used",
    async (kind) => {
      registry.move();
      const failure = kinds[kind] ?? silence;
      registry.fail((request, response) => request.url?.includes("/sha256:") === true && failure(request, response));
      await using mote = await open();
      const report = await mote.pull(source(), `oci:${root}/layout:1`);
      expect([await digestIn("layout"), report.warnings.length]).toEqual([stored, 1]);
      expect(await mote.tags.resolve(`${registry.host}/a/b:1`)).toMatchObject({ digest: stored });
    },
  );

  it("to an image whose blobs are not available is an error, because the registry has resolved the tag", async () => {
    registry.move();
    registry.fail((request, response) => request.url?.includes("/blobs/") === true && status(503)(request, response));
    await using mote = await open({ registries: slowFallback });
    await expect(mote.pull(source(), `oci:${root}/layout:1`)).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
    expect(await mote.tags.resolve(`${registry.host}/a/b:1`)).toMatchObject({ digest: stored });
  });

  it("is pulled if the registry works", async () => {
    registry.move();
    await using mote = await open({ registries: slowFallback });
    const report = await mote.pull(source(), `oci:${root}/layout:1`);
    expect(await digestIn("layout")).not.toBe(stored);
    expect(report.warnings).toEqual([]);
  });
});

it("to an image with missing blobs is an error with their digests if no registry responds, and they are fetched if only tags fail", async () => {
  await using mote = await open();
  const bytes = JSON.parse(await readFile(mote.cache.moteRef(stored), "utf8"));
  const layer: Digest = bytes.layers[0].digest;
  await mote.cache.removeMote(layer);
  registry.fail(ofManifests(status(429)));
  await mote.pull(source(), `oci:${root}/layout:1`);
  await mote.cache.removeMote(layer);
  registry.fail((request) => request.socket.destroy() !== undefined);
  await expect(mote.pull(source(), `oci:${root}/other:1`)).rejects.toMatchObject({
    code: "MOTE_UNREACHABLE",
    message: expect.stringContaining(layer),
    details: { missing: [layer] },
  });
});

it("by its digest, a stored image is used without a request or warning", async () => {
  registry.fail(silence);
  const before = registry.asked.length;
  await using mote = await open();
  const report = await mote.pull(`docker://${registry.host}/a/b@${stored}`, `oci:${root}/layout:1`);
  expect([registry.asked.length - before, report.warnings]).toEqual([0, []]);
});

it("a stored image is used for a copy to another registry if the registry and its mirror are unreachable", async () => {
  const { host } = registry;
  await using second = await startFailingRegistry();
  registry.fail(silence);
  second.fail(silence);
  await using mote = await open({ registries: { mirrors: { [host]: [second.host] } } });
  await mote.copy(source(), `oci-archive:${root}/a.tar:1`);
  await using target = await openMote({ dir: join(root, "target") });
  const report = await target.pull(`oci-archive:${root}/a.tar:1`);
  expect(report.refs[0]?.descriptor.digest).toBe(stored);
});

it("retries at a mirror with another path are reported with the mirror's host", async () => {
  await using second = await startFailingRegistry();
  second.fail((request) => request.socket.destroy() !== undefined);
  await using mote = await open({
    registries: { mirrors: { [registry.host]: [`${second.host}/proxy`] }, ...slowFallback },
  });
  const events: TransferEvent[] = [];
  await mote.pull(source(), `oci:${root}/layout:1`, { onEvent: (event) => events.push(event) });
  expect(events).toContainEqual(expect.objectContaining({ type: "retry", host: second.host, attempt: 1, retries: 1 }));
});

it("a repair contacts an unreachable registry once, and reports each blob that it could not fetch", async () => {
  await using mote = await open({ registries: { retries: 0, answerTimeoutMs: 200, idleTimeoutMs: 200 } });
  await mote.tags.tag(`${registry.host}/c/d:1`, await descriptorOf(mote, stored));
  const { config, layers } = JSON.parse(await readFile(mote.cache.moteRef(stored), "utf8"));
  for (const { digest } of [config, ...layers]) await mote.cache.removeMote(digest);
  registry.fail(silence);
  const before = registry.asked.length;
  const failed = new Set<Digest>();
  const left = await mote.repair({ concurrency: 1, onFailure: ({ digest }) => void failed.add(digest) });
  expect(left).toEqual([`${registry.host}/a/b:1`, `${registry.host}/c/d:1`]);
  expect(registry.asked.length - before).toBeLessThanOrEqual(1);
  for (const { digest } of [config, ...layers]) expect(failed.has(digest)).toBe(true);
});

async function descriptorOf(mote: OpenMote, digest: Digest) {
  const found = await mote.cache.find(digest);
  if (found === undefined) throw new Error(`${digest} is not stored`);
  return { digest, size: found.size, mediaType: mediaTypes.ociManifest };
}

describe("offline", () => {
  it("a stored image is used without a connection", async () => {
    const before = registry.asked.length;
    await using mote = await open({ offline: true });
    for (const [destination, layout] of [
      [undefined, ""],
      [`oci:${root}/layout:1`, "layout"],
    ] as const) {
      const report = await mote.pull(source(), destination, { referrers: true });
      expect(report.warnings).toEqual([]);
      if (layout) expect(await digestIn(layout)).toBe(stored);
    }
    await mote.pull(stored, `oci:${root}/digest:1`);
    expect(registry.asked).toHaveLength(before);
  });

  it("an image that is not stored is an error at once, and a registry cannot be a destination", async () => {
    const before = registry.asked.length;
    await using mote = await open({ offline: true });
    await expect(mote.pull(`docker://${registry.host}/a/c:1`)).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
    await expect(mote.pull(`docker://${registry.host}/a/c@sha256:${"a".repeat(64)}`)).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
    });
    await expect(mote.pull(`sha256:${"a".repeat(64)}`)).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
    await expect(mote.copy(source(), `docker://${registry.host}/a/d:1`)).rejects.toMatchObject({
      code: "MOTE_UNREACHABLE",
      details: { reason: "offline" },
    });
    const layer = JSON.parse(await readFile(mote.cache.moteRef(stored), "utf8")).layers[0].digest;
    await mote.cache.removeMote(layer);
    await expect(mote.pull(source(), `oci:${root}/layout:1`)).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: { missing: [layer] },
    });
    expect(await mote.repair()).toEqual([`${registry.host}/a/b:1`]);
    expect(registry.asked).toHaveLength(before);
  });
});
