import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobInfoCache } from "@mote/bic-memory";
import {
  type ContentSource,
  type Descriptor,
  digestBytes,
  MemoryCache,
  MemoryTagStore,
  type MoteCache,
  MoteError,
  type Ref,
  readMote,
  takeInventory,
} from "@mote/core";
import { LayoutSource } from "@mote/layout";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type MoteTransport, type OpenMote, openDestination, openMote, openSource } from "../src/index.js";
import { type Image, putImage, putIndex } from "./images.js";

declare module "@mote/core" {
  interface AddedTransports {
    shelf: true;
  }
}

let root: string;
let from: MemoryCache;
let image: Image;
let cache: MemoryCache;
let tags: MemoryTagStore;
let bic: MemoryBlobInfoCache;
let mote: OpenMote;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-parts-"));
  from = new MemoryCache();
  image = await putImage(from, ["shelf://top:1"], { a: 1000, b: 50 });
  cache = new MemoryCache({ files: { readFile, rm } });
  tags = new MemoryTagStore();
  bic = new MemoryBlobInfoCache();
  mote = await openMote({ cache, tags, bic, transports: [shelf(from)] });
});
afterEach(async () => {
  await mote.close();
  await rm(root, { recursive: true, force: true });
});

/** An added transport, `shelf://NAME:TAG`, which reads images from a cache by their names. */
function shelf(images: MoteCache): MoteTransport {
  return {
    name: "shelf",
    prefix: "shelf://",
    parse(text, start) {
      const [path = "", tag] = text.slice(start).split(":");
      return { transport: "shelf", path, ...(tag === undefined ? {} : { tag }) };
    },
    format: (ref) => `${"path" in ref ? ref.path : ""}${ref.tag === undefined ? "" : `:${ref.tag}`}`,
    recordedAs: "shelf",
    reads: true,
    writes: false,
    holdsMany: true,
    byDigest: true,
    openSource: async (ref) => shelfSource(ref, images),
  };
}

function shelfSource(ref: Ref, images: MoteCache): ContentSource {
  return {
    ref: { transport: "shelf", path: "path" in ref ? ref.path : "" },
    async resolve(wanted) {
      const { tag, digest } = typeof wanted === "string" ? { tag: wanted, digest: undefined } : wanted;
      const name = `shelf://top:${tag}`;
      const info = digest && (await images.find(digest));
      const found = info ?? (await images.tags?.resolve(name));
      if (found === undefined) throw new MoteError("MOTE_NOT_FOUND", `cannot find ${name}`);
      return found;
    },
    manifest: ({ digest, size }) => readMote(images, digest, { maxBytes: size }),
    blob: ({ digest }) => images.moteReader(digest),
  };
}

describe("openMote with injected parts", () => {
  it("pulls through the cache, tags the image in the tag store, and fetches nothing the second time", async () => {
    const first = await mote.pull("shelf://top:1", `oci:${root}/layout:1`);
    expect(first.fetched.count).toBe(3);
    expect((await tags.resolve("shelf://top:1"))?.digest).toBe(image.manifest.digest);
    expect(await cache.tags.resolve("shelf://top:1")).toBeUndefined();
    expect((await new LayoutSource(`${root}/layout`).resolve("1")).digest).toBe(image.manifest.digest);
    const second = await mote.pull("shelf://top:1", `oci:${root}/other:1`);
    expect(second.fetched.count).toBe(0);
    expect(second.refs[0]?.reference).toBe(`oci:${root}/other:1@${image.manifest.digest}`);
  });

  it("records where blobs were seen in the blob-info cache", async () => {
    await mote.pull("shelf://top:1");
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    const { locations } = await mote.knownLocations(layer.digest);
    expect(locations.map(({ ref }) => ref)).toEqual([{ transport: "shelf", path: "top", tag: "1" }]);
  });

  it("pushes, copies and adds cached content", async () => {
    await mote.pull("shelf://top:1");
    await mote.push(image.manifest.digest, `oci:${root}/pushed:1`);
    await mote.copy(`oci:${root}/pushed:1`, `oci-archive:${root}/a.tar:1`);
    await writeFile(join(root, "file"), "content");
    const content = new TextEncoder().encode("content");
    expect((await mote.addFile(join(root, "file"))).digest).toBe(digestBytes(content));
    expect((await mote.addStream(chunks("content"))).digest).toBe(digestBytes(content));
  });

  it("rejects writing to a read-only transport", async () => {
    await expect(mote.copy("shelf://top:1", "shelf://other:1")).rejects.toMatchObject({
      code: "MOTE_UNSUPPORTED_TRANSPORT",
    });
    await expect(openMote({ cache, transports: [{ ...shelf(from), name: "oci" }] })).rejects.toThrow(TypeError);
  });

  it("applies a policy before anything is transferred", async () => {
    const verify = ({ digest }: Descriptor) => {
      throw new Error(`${digest} is not signed`);
    };
    await expect(mote.pull("shelf://top:1", undefined, { verify })).rejects.toThrow("is not signed");
    expect(await tags.resolve("shelf://top:1")).toBeUndefined();
    expect(await cache.moteExists(image.manifest.digest)).toBe(false);
  });

  it("tags the image with the names of the caller", async () => {
    await mote.pull("shelf://top:1", undefined, { tags: ["one", "two"] });
    expect((await tags.resolve("one"))?.digest).toBe(image.manifest.digest);
    expect((await tags.resolve("two"))?.digest).toBe(image.manifest.digest);
  });

  it("pulls exactly the requested platforms of an index", async () => {
    const images = new Map<string, Image>();
    for (const [architecture, size] of [
      ["amd64", 10],
      ["arm64", 20],
      ["s390x", 30],
    ] as const)
      images.set(architecture, await putImage(from, [], { a: size }));
    const entries = [...images].map(([architecture, { manifest }]) => ({
      ...manifest,
      platform: { os: "linux", architecture },
    }));
    const index = await putIndex(from, ["shelf://top:many"], entries);
    const { refs } = await mote.pull("shelf://top:many", undefined, { platform: ["linux/amd64", "linux/arm64"] });
    expect(refs.map(({ descriptor }) => descriptor.digest)).toEqual(entries.slice(0, 2).map(({ digest }) => digest));
    expect((await tags.resolve("shelf://top:many"))?.digest).toBe(index.digest);
    expect(await cache.moteExists(images.get("s390x")?.manifest.digest ?? index.digest)).toBe(false);
    const opened = await mote.image("shelf://top:many", { platform: "linux/arm64" });
    expect(opened.digest).toBe(images.get("arm64")?.manifest.digest);
    await expect(mote.image("shelf://top:many")).rejects.toMatchObject({ code: "MOTE_NO_PLATFORM" });
  });

  it("repairs missing content through the added transport", async () => {
    await mote.pull("shelf://top:1");
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    await cache.removeMote(layer.digest);
    expect(await mote.repair()).toEqual([]);
    expect(await cache.moteExists(layer.digest)).toBe(true);
  });

  it("serves the content of its tags", async () => {
    await tags.tag("registry.example/app:1", await fill(cache));
    await using server = await mote.serve();
    const found = await fetch(`${server.url}/v2/app/manifests/1`);
    expect(found.headers.get("docker-content-digest")).toBe(image.manifest.digest);
    expect((await fetch(`${server.url}/v2/app/blobs/${image.config.digest}`)).status).toBe(200);
  });

  it("finds, locates, lists and prunes with the same parts", async () => {
    await mote.pull("shelf://top:1");
    expect(await mote.find("shelf://top:1")).toEqual({ digest: image.manifest.digest, name: "shelf://top:1" });
    expect(await mote.locate(image.config.digest)).toEqual([]);
    const inventory = await takeInventory(mote.cache);
    expect(inventory.tags.map(({ name }) => name)).toEqual(["shelf://top:1"]);
    expect((await mote.cache.prune(0)).reached).toBe(true);
    expect(await cache.moteExists(image.manifest.digest)).toBe(false);
  });

  it("keeps the cache within its maximum size", async () => {
    await using bounded = await openMote({ cache, tags, bic, maxSize: 0, transports: [shelf(from)] });
    await bounded.pull("shelf://top:1", `oci:${root}/layout:1`);
    await bounded.close();
    expect(await cache.moteExists(image.manifest.digest)).toBe(false);
  });

  it("does not close injected parts", async () => {
    await mote.pull("shelf://top:1");
    await mote.close();
    expect(await cache.moteExists(image.manifest.digest)).toBe(true);
    expect(await bic.untransformedDigest(image.config.digest)).toBeUndefined();
  });

  it("reads missing content from a tier, and adds it to the cache", async () => {
    const tiered = await openMote({ cache, tier: from });
    expect(await tiered.cache.find(image.config.digest)).toMatchObject({ size: image.config.size });
    expect(await readMote(tiered.cache, image.config.digest, { maxBytes: 1000 })).toHaveLength(image.config.size);
    await using at = await tiered.cache.moteReaderAt(image.config.digest);
    expect(at.size).toBe(image.config.size);
    expect(await cache.moteExists(image.config.digest)).toBe(true);
    await tiered.close();
    expect(await from.moteExists(image.config.digest)).toBe(true);
  });
});

describe("a cache without optional methods", () => {
  /** Returns a cache with only the required methods. */
  function bare(of: MemoryCache): MoteCache {
    const optional = ["tags", "motes", "lease", "pinned", "verify", "verifyMote", "removeClosure", "membership"];
    return new Proxy(of, {
      has: (target, key) => !optional.includes(String(key)) && Reflect.has(target, key),
      get(target, key) {
        if (optional.includes(String(key))) return undefined;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  it("pulls without tags", async () => {
    await using plain = await openMote({ cache: bare(cache), transports: [shelf(from)] });
    await plain.pull("shelf://top:1", `oci:${root}/layout:1`);
    expect(await plain.find(image.manifest.digest)).toEqual({ digest: image.manifest.digest });
    await expect(plain.find("shelf://top:1")).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
    await using server = await plain.serve();
    expect((await fetch(`${server.url}/v2/app/manifests/1`)).status).toBe(404);
  });

  it("reports that it cannot be repaired", async () => {
    await using plain = await openMote({ cache: bare(cache) });
    await expect(plain.repair()).rejects.toThrow(TypeError);
  });
});

it("rejects both a directory and a cache", async () => {
  await expect(openMote({ dir: root, cache })).rejects.toThrow(TypeError);
});

it("opens a source and a destination by reference", async () => {
  await mote.pull("shelf://top:1", `oci:${root}/layout:1`);
  await using source = await disposable(openSource(`oci:${root}/layout:1`));
  expect((await source.resolve("1")).digest).toBe(image.manifest.digest);
  await using shelved = await disposable(mote.openSource("shelf://top:1"));
  expect((await shelved.resolve("1")).digest).toBe(image.manifest.digest);
  await using destination = await disposable(openDestination(`dir:${root}/dir`));
  expect(await destination.has(image.manifest)).toBe(false);
});

async function disposable<T extends object>(
  opening: Promise<T & Partial<AsyncDisposable>>,
): Promise<T & AsyncDisposable> {
  const opened = await opening;
  const dispose = opened[Symbol.asyncDispose]?.bind(opened);
  return Object.assign(opened, { [Symbol.asyncDispose]: async () => await dispose?.() });
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/** Puts the image into a cache without a pull. */
async function fill(into: MoteCache): Promise<Descriptor> {
  const filled = await putImage(into, [], { a: 1000, b: 50 });
  return filled.manifest;
}
