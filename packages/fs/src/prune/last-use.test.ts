import { mkdtemp, readdir, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, lastUses, mediaTypes, rootsOf, takeInventory } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { put, putImage } from "../../test/image.js";
import { FileCache } from "../index.js";

const dayMs = 24 * 60 * 60 * 1000;
const maxAgeMs = 30 * dayMs;

let root: string;
let cache: FileCache;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-last-use-"));
  cache = new FileCache(root);
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** Sets the last use of all blobs and tags back by `days`. */
async function age(days: number): Promise<void> {
  const past = new Date(Date.now() - days * dayMs);
  for (const name of await readdir(join(root, "blobs", "sha256"))) {
    const path = join(root, "blobs", "sha256", name);
    await utimes(path, past, (await stat(path)).mtime);
  }
  for (const entry of await readdir(join(root, ".mote"), { recursive: true })) {
    if (/tags\/.*\.json$/.test(entry)) await utimes(join(root, ".mote", entry), past, past);
  }
}

async function use({ digest }: Pick<Descriptor, "digest">, daysAgo = 0): Promise<void> {
  const path = cache.moteRef(digest);
  await utimes(path, new Date(Date.now() - daysAgo * dayMs), (await stat(path)).mtime);
}

async function putIndex(name: string, manifests: readonly Descriptor[]): Promise<Descriptor> {
  const body = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  const index = await put(cache, new TextEncoder().encode(body), mediaTypes.ociIndex);
  await cache.tags.tag(name, index);
  return index;
}

async function removed(options: { readonly maxSize?: number; readonly maxAgeMs?: number }) {
  const report = await cache.prune(options.maxSize ?? Number.MAX_SAFE_INTEGER, { ...options, dryRun: true });
  return { digests: new Set(report.removed.map(({ digest }) => digest)), untagged: report.untagged };
}

describe("the last use of an image", () => {
  it("is the latest use of any of its manifests, for a listing and for a prune", async () => {
    const [amd, arm] = [await putImage(cache, undefined, ["amd"]), await putImage(cache, undefined, ["arm"])];
    const multi = await putIndex("multi:1", [amd.manifest, arm.manifest]);
    const idle = await putImage(cache, "idle:1", ["idle"]);
    await age(40);
    await use(amd.manifest);
    const uses = lastUses(await takeInventory(cache));
    expect(uses.get(multi.digest)).toBeGreaterThan(Date.now() - dayMs);
    expect(uses.get(idle.manifest.digest)).toBeLessThan(Date.now() - 39 * dayMs);
    const { digests, untagged } = await removed({ maxAgeMs });
    expect(untagged).toEqual(["idle:1"]);
    expect([...digests].sort()).toEqual([...idle.digests].sort());
  });

  it("includes the time when it was tagged", async () => {
    const image = await putImage(cache, "app:1", ["layer"]);
    await age(40);
    await cache.tags.tag("app:2", image.manifest);
    const [listed] = rootsOf(await takeInventory(cache));
    expect(listed?.usedMs).toBeGreaterThan(Date.now() - dayMs);
    expect((await removed({ maxAgeMs })).digests.size).toBe(0);
  });

  it("decides the order of removal, which is the order of a listing", async () => {
    const images = [];
    for (const name of ["a", "b", "c", "d"]) {
      const inner = await putImage(cache, undefined, [name]);
      images.push({ name: `${name}:1`, inner, index: await putIndex(`${name}:1`, [inner.manifest]) });
    }
    await age(90);
    const order = ["c:1", "a:1", "d:1", "b:1"];
    for (const [at, name] of order.entries()) {
      const image = images.find((one) => one.name === name);
      // Alternately, the index and the image below it were used last.
      const latest = at % 2 === 0 ? image?.index : image?.inner.manifest;
      if (latest === undefined) throw new Error("no such image");
      await use(latest, 40 - at);
    }
    const listed = rootsOf(await takeInventory(cache))
      .sort((one, other) => (one.usedMs ?? 0) - (other.usedMs ?? 0))
      .flatMap(({ names }) => names);
    expect(listed).toEqual(order);
    for (let gone = 1; gone <= order.length; gone++) {
      expect([...(await removed({ maxAgeMs: (41 - gone) * dayMs - dayMs / 2 })).untagged].sort()).toEqual(
        order.slice(0, gone).sort(),
      );
    }
  });

  it("does not include its layers, but a layer that was used alone is not removed by age with its image", async () => {
    const image = await putImage(cache, "app:1", ["old", "used"]);
    await age(40);
    const [, layer] = image.layers;
    if (layer === undefined) throw new Error("the image has two layers");
    await use(layer);
    expect(lastUses(await takeInventory(cache)).get(image.manifest.digest)).toBeLessThan(Date.now() - 39 * dayMs);
    const { digests } = await removed({ maxAgeMs });
    expect([...digests].sort()).toEqual(image.digests.filter((digest) => digest !== layer.digest).sort());
    // To reach a size, it is removed with its image.
    expect([...(await removed({ maxSize: 0 })).digests].sort()).toEqual([...image.digests].sort());
  });
});
