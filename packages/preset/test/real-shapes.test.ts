import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, type MoteCache, rootsOf, takeInventory } from "@mote/core";
import { type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { incompleteManifests, type OpenMote, openMote } from "../src/index.js";
import { Maker, type Shape, shapes } from "./real-shapes.js";

let dir: string;
let registry: SimulatedRegistry;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "mote-shapes-"));
  registry = await startSimulatedRegistry({ name: "plain", behaviours: [], lacks: {} });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** Writes a layout with only this content, as the entry `1`. */
function seed(path: string, shape: Shape): { readonly digest: Digest; readonly digests: readonly string[] } {
  const make = new Maker();
  const root = shape.build(make);
  mkdirSync(join(path, "blobs/sha256"), { recursive: true });
  for (const [digest, bytes] of make.blobs) writeFileSync(blobPath(path, digest), bytes);
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [{ ...root, annotations }] }));
  return { digest: root.digest, digests: [...make.blobs.keys()] };
}

function blobPath(layout: string, digest: string): string {
  return join(layout, "blobs/sha256", digest.slice("sha256:".length));
}

async function expectListed(cache: MoteCache, digest: Digest, { kind }: Shape): Promise<void> {
  const inventory = await takeInventory(cache);
  const root = rootsOf(inventory).find((one) => one.digest === digest);
  expect(root).toMatchObject({ kind, missing: 0 });
  expect(root?.names.length).toBeGreaterThan(0);
  expect(incompleteManifests(inventory)).toEqual([]);
  expect([...inventory.unreadable]).toEqual([]);
}

describe.each(shapes.map((shape, at) => [shape.name, shape, at] as const))("%s", (_, shape, at) => {
  const own = (name: string) => join(dir, String(at), name);
  let expected: ReturnType<typeof seed>;

  beforeAll(() => {
    expected = seed(own("seed"), shape);
  });

  async function copy(mote: OpenMote, from: string, to: string): Promise<void> {
    const { refs, warnings } = await mote.copy(from, to);
    expect([to, refs[0]?.descriptor.digest]).toEqual([to, expected.digest]);
    expect(warnings).toEqual((shape.warnings ?? []).map((warning) => expect.stringMatching(warning)));
  }

  it("is copied from a layout over all transports to a layout unchanged", async () => {
    const ends = [
      `oci-archive:${own("a.tar")}:1`,
      `dir:${own("dir")}`,
      `docker://${registry.host}/shapes/s${at}:1`,
      `oci:${own("end")}:1`,
    ];
    let from = `oci:${own("seed")}:1`;
    for (const [step, to] of ends.entries()) {
      // Each has its own cache, so that everything comes from the previous location.
      await using mote = await openMote({ dir: own(`cache-${step}`) });
      await copy(mote, from, to);
      await expectListed(mote.cache, expected.digest, shape);
      from = to;
    }
    for (const digest of expected.digests) {
      expect(existsSync(blobPath(own("end"), digest)), digest).toBe(true);
      expect(readFileSync(blobPath(own("end"), digest))).toEqual(readFileSync(blobPath(own("seed"), digest)));
    }
  });

  it("is copied from the cache alone after it was pulled", async () => {
    await using mote = await openMote({ dir: own("cache") });
    const { refs } = await mote.pull(`oci:${own("seed")}:1`);
    expect(refs[0]?.resolved.digest).toBe(expected.digest);
    rmSync(own("seed"), { recursive: true });
    await copy(mote, expected.digest, `oci:${own("from-cache")}:1`);
    for (const digest of expected.digests) expect(existsSync(blobPath(own("from-cache"), digest)), digest).toBe(true);
    await mote.cache.prune(0);
    const kept: string[] = [];
    for await (const { digest } of mote.cache.motes?.() ?? []) kept.push(digest);
    expect(kept).toEqual([]);
  });
});
