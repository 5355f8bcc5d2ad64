import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeInventory } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putImage, putIndex } from "../../test/images.js";
import { incompleteManifests, partialIndexes } from "../index.js";

let dir: string;
let cache: FileCache;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "mote-partial-"));
  cache = new FileCache(dir);
  await cache.initialize();
});
afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const on = (os: string, architecture: string) => ({ platform: { os, architecture } });

describe("indexes with only some platforms stored", () => {
  it("are listed with their missing platforms, including attestations and nested indexes, and are not damaged", async () => {
    const [amd, arm, gone] = [
      await putImage(cache, [], { a: 1 }),
      await putImage(cache, [], { b: 1 }),
      await putImage(cache, [], { c: 1 }),
    ];
    const inner = await putIndex(cache, [], [{ ...arm.manifest, ...on("linux", "arm64") }]);
    const missing = { ...gone.manifest, ...on("linux", "s390x") };
    const attestation = { ...gone.manifest, digest: gone.layers[0]?.digest ?? gone.manifest.digest };
    const root = await putIndex(
      cache,
      ["app:1"],
      [{ ...amd.manifest, ...on("linux", "amd64") }, inner, missing, { ...attestation, ...on("unknown", "unknown") }],
    );
    await putIndex(cache, ["app:2"], [{ ...amd.manifest, ...on("linux", "amd64") }]);
    await cache.removeMote(gone.manifest.digest);
    const inventory = await takeInventory(cache);
    expect(partialIndexes(inventory)).toEqual([
      { digest: root.digest, names: ["app:1"], stored: 2, listed: 3, missing: [missing] },
    ]);
    expect(incompleteManifests(inventory)).toEqual([]);
  });
});
