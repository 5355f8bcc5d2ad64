import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes, NilCache, silentLogger } from "@mote/core";
import { LayoutDestination } from "@mote/layout";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openMote } from "../open-mote.js";
import { SizeBound } from "./size-bound.js";

let dir: string;
const layout = (name: string) => join(dir, name);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-bound-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Creates an image of one layer of 1 MB in its own layout. */
async function makeImage(name: string): Promise<Descriptor> {
  const bytes = randomBytes(1_000_000);
  const layer = { mediaType: mediaTypes.octetStream, digest: digestBytes(bytes), size: bytes.byteLength };
  const empty = new TextEncoder().encode("{}");
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(empty), size: empty.byteLength };
  const manifest = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
  );
  const descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestBytes(manifest),
    size: manifest.byteLength,
  };
  await using destination = new LayoutDestination(layout(name));
  await destination.blob(config, chunk(empty));
  await destination.blob(layer, chunk(bytes));
  await destination.manifest(descriptor, manifest);
  await destination.tag("1", descriptor);
  return layer;
}

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

it("a cache with a maximum size removes the least recently used content, and keeps transferred content", async () => {
  const first = await makeImage("first");
  const second = await makeImage("second");
  const told: unknown[] = [];
  const logger = { ...silentLogger, info: (message: string) => void told.push(message) };
  {
    await using mote = await openMote({ dir: layout("cache"), maxSize: 1_500_000, logger });
    await mote.pull(`oci:${layout("first")}:1`);
    expect(await mote.cache.moteExists(first.digest)).toBe(true);
    await mote.pull(`oci:${layout("second")}:1`, `oci:${layout("copy")}:1`);
  }
  await using mote = await openMote({ dir: layout("cache") });
  expect([await mote.cache.moteExists(first.digest), await mote.cache.moteExists(second.digest)]).toEqual([
    false,
    true,
  ]);
  expect(told).toContain("pruned");
});

it("transferred content is kept even if it exceeds the maximum size", async () => {
  const layer = await makeImage("only");
  {
    await using mote = await openMote({ dir: layout("cache"), maxSize: 1000 });
    await mote.pull(`oci:${layout("only")}:1`);
  }
  expect((await stat(join(layout("cache"), "blobs", ...layer.digest.split(":")))).size).toBe(layer.size);
});

it("a failed prune is a warning, and releases its leases", async () => {
  const order: string[] = [];
  const cache = Object.assign(new NilCache(), {
    lease: async () => ({
      add: async () => {},
      release: async () => void order.push("released"),
      [Symbol.asyncDispose]: async () => {},
    }),
    prune: async () => {
      order.push("pruned");
      throw new Error("the disk is on fire");
    },
  });
  const logger = { ...silentLogger, warn: () => void order.push("warned") };
  const bound = new SizeBound(cache, { maxSize: 0, logger });
  bound.restore(await bound.lease({}));
  await bound.settled();
  expect(order).toEqual(["pruned", "warned", "released"]);
});

it("a prune is repeated until what held too much has been given up, or it is closed", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const reached = [false, false, true, false];
    let prunes = 0;
    const prune = async () => ({ removed: [], freedBytes: 0, remainingBytes: 10, reached: reached[prunes++] ?? true });
    const bound = new SizeBound(Object.assign(new NilCache(), { prune }), { maxSize: 1, logger: silentLogger });
    const prunesAfter = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      await bound.settled();
      return prunes;
    };
    bound.enforce(10);
    expect(await prunesAfter(0)).toBe(1);
    expect(await prunesAfter(1_000)).toBe(2);
    expect(await prunesAfter(2_000)).toBe(3);
    expect(await prunesAfter(3_600_000)).toBe(3);
    bound.enforce(10);
    expect(await prunesAfter(0)).toBe(4);
    await bound.close();
    expect(await prunesAfter(3_600_000)).toBe(4);
  } finally {
    vi.useRealTimers();
  }
});

it("an invalid maximum size is rejected", async () => {
  await expect(openMote({ dir: layout("cache"), maxSize: -1 })).rejects.toThrow(TypeError);
  await expect(openMote({ dir: layout("cache"), maxSize: Number.NaN })).rejects.toThrow(TypeError);
});
