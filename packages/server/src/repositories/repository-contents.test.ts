import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MoteError, mediaTypes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHandler, type Handler } from "../index.js";

let root: string;
let cache: FileCache;
let handler: Handler;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-repository-contents-"));
  cache = new FileCache(root, { durability: "visible" });
  await cache.initialize();
  handler = createHandler({ source: cache, tags: cache.tags, holdMs: 0 });
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function put(mediaType: string, content: object | string): Promise<Descriptor> {
  const bytes = new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

interface Image {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

async function putImage(mark: string, layerTexts: readonly string[], more: object = {}): Promise<Image> {
  const config = await put(mediaTypes.ociConfig, { mark });
  const layers = [];
  for (const text of layerTexts) layers.push(await put(mediaTypes.ociLayer, text));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, ...more };
  return { manifest: await put(mediaTypes.ociManifest, body), config, layers };
}

async function status(path: string): Promise<number> {
  const response = await handler(new Request(`http://registry.test/v2/${path}`));
  await response.arrayBuffer();
  return response.status;
}

const blob = (repository: string, { digest }: Descriptor, query = "") =>
  status(`${repository}/blobs/${digest}${query}`);
const manifest = (repository: string, { digest }: Descriptor, query = "") =>
  status(`${repository}/manifests/${digest}${query}`);

describe("the content of a repository", () => {
  it("is what its manifests refer to, and nothing else", async () => {
    const one = await putImage("one", ["shared", "only one"]);
    const other = await putImage("other", ["shared", "only other"]);
    await cache.tags.tag("ghcr.io/team/one:1", one.manifest);
    await cache.tags.tag("ghcr.io/team/other:1", other.manifest);
    const loose = await put(mediaTypes.octetStream, "of no repository");
    for (const each of [one.config, ...one.layers]) expect(await blob("team/one", each)).toBe(200);
    expect(await blob("team/one", one.manifest)).toBe(200);
    expect(await manifest("team/one", one.manifest)).toBe(200);
    for (const each of [other.config, other.layers[1] ?? loose, other.manifest, loose]) {
      expect(await blob("team/one", each)).toBe(404);
      expect(await manifest("team/one", each)).toBe(404);
    }
    expect(await manifest("team/absent", one.manifest)).toBe(404);
    expect(await blob("team", one.config)).toBe(404);
    expect(await blob("team/one/more", one.config)).toBe(404);
  });

  it("is that of the requested registry, even if another registry has the same repository and a shared blob", async () => {
    const secret = await putImage("secret", ["base", "secret"]);
    const open = await putImage("open", ["base", "open"]);
    await cache.tags.tag("private.example/team/app:1", secret.manifest);
    await cache.tags.tag("public.example/team/app:1", open.manifest);
    const [base = open.config, secretLayer = open.config] = secret.layers;
    for (const [query, full] of [
      ["?ns=public.example", "public.example/team/app"],
      ["?ns=private.example", "private.example/team/app"],
    ] as const) {
      const isPrivate = query.includes("private");
      for (const [name, suffix] of [
        ["team/app", query],
        [full, ""],
      ] as const) {
        expect(await blob(name, base, suffix)).toBe(200);
        for (const each of [secretLayer, secret.config])
          expect(await blob(name, each, suffix)).toBe(isPrivate ? 200 : 404);
        expect(await manifest(name, secret.manifest, suffix)).toBe(isPrivate ? 200 : 404);
        expect(await manifest(name, open.manifest, suffix)).toBe(isPrivate ? 404 : 200);
        expect(await status(`${name}/manifests/1${suffix}`)).toBe(200);
      }
    }
    for (const each of [base, secretLayer]) expect(await blob("team/app", each)).toBe(404);
    for (const ns of [
      "quay.io",
      "",
      "team",
      "public.example/team",
      "PUBLIC.example",
      "public.example:443",
      "..",
      "%00",
    ]) {
      expect([ns, await blob("team/app", base, `?ns=${ns}`)]).toEqual([ns, 404]);
      expect([ns, await status(`team/app/manifests/1?ns=${ns}`)]).toEqual([ns, 404]);
      expect([ns, await status(`team/app/tags/list?ns=${ns}`)]).toEqual([ns, 404]);
      expect([ns, await status(`team/app/referrers/${secret.manifest.digest}?ns=${ns}`)]).toEqual([ns, 404]);
    }
    expect(await status("team/app/manifests/1?ns=public.example&ns=private.example")).toBe(400);
    expect(await status("public.example/team/app/manifests/1?ns=public.example")).toBe(404);
  });

  it("gives the same response for content of other repositories and missing content", async () => {
    const image = await putImage("a", ["a"]);
    await cache.tags.tag("ghcr.io/a:1", image.manifest);
    await cache.tags.tag("ghcr.io/b:1", (await putImage("b", ["b"])).manifest);
    const answer = async (kind: string, digest: string, headers: Record<string, string>) => {
      const response = await handler(new Request(`http://registry.test/v2/b/${kind}/${digest}`, { headers }));
      return [response.status, [...response.headers], (await response.text()).replaceAll(digest, "…")];
    };
    const absent = digestBytes(new Uint8Array([1]));
    for (const headers of [
      {},
      { "if-none-match": "*" },
      { "if-none-match": `"${image.config.digest}"` },
      { range: "bytes=0-" },
    ]) {
      expect(await answer("blobs", image.config.digest, headers)).toEqual(await answer("blobs", absent, headers));
      expect(await answer("manifests", image.manifest.digest, headers)).toEqual(
        await answer("manifests", absent, headers),
      );
    }
  });

  it("includes entries of nested indexes, and manifests recorded without a name", async () => {
    const leaf = await putImage("leaf", ["leaf"]);
    const index = (manifests: Descriptor[]) =>
      put(mediaTypes.ociIndex, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
    const top = await index([await index([leaf.manifest])]);
    await cache.tags.tag("ghcr.io/deep:1", top);
    const signature = await putImage("signature", ["signature"], { subject: leaf.manifest });
    const foreign = await putImage("foreign", ["foreign"], { subject: leaf.manifest });
    await cache.membership.record("ghcr.io/deep", signature.manifest.digest);
    await cache.tags.tag("ghcr.io/else:1", foreign.manifest);
    for (const each of [leaf.config, ...leaf.layers, ...signature.layers]) expect(await blob("deep", each)).toBe(200);
    expect(await manifest("deep", leaf.manifest)).toBe(200);
    expect(await manifest("deep", signature.manifest)).toBe(200);
    expect(await manifest("deep", foreign.manifest)).toBe(404);
    const response = await handler(new Request(`http://registry.test/v2/deep/referrers/${leaf.manifest.digest}`));
    const { manifests } = (await response.json()) as { manifests: Descriptor[] };
    expect(manifests.map(({ digest }) => digest)).toEqual([signature.manifest.digest]);
  });

  it("follows changes by all processes while the server runs", async () => {
    const other = new FileCache(root, { durability: "visible" });
    const image = await putImage("a", ["a", "b"]);
    const [layer = image.config] = image.layers;
    expect(await blob("app", layer)).toBe(404);
    await other.tags.tag("ghcr.io/app:1", image.manifest);
    expect(await blob("app", layer)).toBe(200);
    await other.tags.tag("ghcr.io/app:2", (await putImage("second", ["a"])).manifest);
    await cache.tags.tag("quay.io/elsewhere:1", image.manifest);
    await other.tags.untag("ghcr.io/app:1");
    expect(await manifest("app", image.manifest)).toBe(404);
    expect(await blob("app", image.config)).toBe(404);
    // Another manifest still refers to it.
    expect(await blob("app", layer)).toBe(200);
    await other.tags.untag("ghcr.io/app:2");
    expect(await blob("app", layer)).toBe(404);
    expect(await blob("elsewhere", layer)).toBe(200);
    await cache.removeMote(image.manifest.digest);
    expect(await blob("elsewhere", layer)).toBe(404);
    await putImage("a", ["a", "b"]);
    expect(await blob("elsewhere", layer)).toBe(200);
    await other[Symbol.asyncDispose]();
  });

  it("includes a platform that is stored after its index was read", async () => {
    const arm = await putImage("arm", ["arm"]);
    await cache.removeMote(arm.manifest.digest);
    const manifests = [(await putImage("amd", ["amd"])).manifest, arm.manifest];
    await cache.tags.tag("ghcr.io/app:1", await put(mediaTypes.ociIndex, { schemaVersion: 2, manifests }));
    expect(await blob("app", arm.layers[0] ?? arm.config)).toBe(404);
    await putImage("arm", ["arm"]);
    expect(await blob("app", arm.layers[0] ?? arm.config)).toBe(200);
  });

  it("ignores repositories without content when a path is ambiguous", async () => {
    const image = await putImage("a", ["a"]);
    await cache.tags.tag("ghcr.io/app:1", image.manifest);
    await cache.tags.tag("quay.io/app:1", { ...image.manifest, digest: digestBytes(new Uint8Array([2])) });
    expect(await status("app/manifests/1")).toBe(200);
  });
});

describe("a cache of an earlier release without membership records", () => {
  beforeEach(async () => {
    const image = await putImage("a", ["a"]);
    await cache.tags.tag("ghcr.io/app:1", image.manifest);
    await cache.tags.tag("oci:/home/me/secret:1", (await putImage("secret", ["secret"])).manifest);
    await rm(join(root, ".mote", "repositories"), { recursive: true });
  });

  it("is served by its tags", async () => {
    const image = await putImage("a", ["a"]);
    expect(await blob("app", image.layers[0] ?? image.config)).toBe(200);
    expect(await blob("app", (await putImage("secret", ["secret"])).config)).toBe(404);
    expect(await cache.membership.has("ghcr.io/app", image.manifest.digest)).toBe(true);
  });

  it("is served by its tags if records cannot be written", async () => {
    const membership = {
      ...cache.membership,
      has: async () => false,
      async *list() {},
      async *repositories() {},
      record: async () => {
        throw new MoteError("MOTE_UNWRITABLE", "a read-only mount");
      },
      remove: async () => {},
    };
    const source = new Proxy(cache, {
      get: (target, name) => {
        if (name === "membership") return membership;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    handler = createHandler({ source, tags: cache.tags, holdMs: 0 });
    const image = await putImage("a", ["a"]);
    expect(await blob("app", image.config)).toBe(200);
    const second = await putImage("b", ["b"]);
    await cache.tags.tag("ghcr.io/app:2", second.manifest);
    expect(await status("app/manifests/2")).toBe(200);
    expect(await blob("app", second.config)).toBe(200);
    await cache.tags.untag("ghcr.io/app:2");
    expect(await blob("app", second.config)).toBe(404);
  });
});

it("one blob is found without reading all tags", async () => {
  const image = await putImage("a", ["a"]);
  await cache.tags.tag("ghcr.io/app:1", image.manifest);
  for (let at = 0; at < 100; at++) await cache.membership.record(`ghcr.io/many-${at}`, image.manifest.digest);
  let [listed, read] = [0, 0];
  const counting = <T extends object>(target: T, count: (name: string | symbol) => void): T =>
    new Proxy(target, {
      get: (of, name) => {
        count(name);
        const value = Reflect.get(of, name, of);
        return typeof value === "function" ? value.bind(of) : value;
      },
    });
  const tags = counting(cache.tags, (name) => {
    if (name === "list") listed++;
  });
  const source = counting(cache, (name) => {
    if (name === "moteReader") read++;
  });
  handler = createHandler({ source, tags, holdMs: 0 });
  for (let round = 0; round < 20; round++) expect(await blob("app", image.config)).toBe(200);
  for (let round = 0; round < 20; round++)
    expect(await blob("app", { ...image.config, digest: digestBytes(new Uint8Array([round])) })).toBe(404);
  expect(listed).toBe(1);
  // The blob each time, the manifest once.
  expect(read).toBe(21);
});
