import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isNotFound, takeInventory } from "@mote/core";
import { freePort } from "@mote/testbed";
import { afterAll, beforeAll, expect, it } from "vitest";
import { incompleteManifests, type OpenMote, openMote, type RegistryServer } from "../src/index.js";
import { putImage } from "./images.js";

let dir: string;
let origin: OpenMote;
let server: RegistryServer;
const requests: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-selective-"));
  origin = await openMote({ dir: join(dir, "origin") });
  for (const name of ["a.bin", "b.bin", "notes.txt"]) await writeFile(join(dir, name), `content of ${name}`);
  const files = ["a.bin", "b.bin", "notes.txt"].map((name) => ({ path: join(dir, name), title: `weights/${name}` }));
  await origin.pushFiles(files, `oci:${dir}/artifact:1`);
  await origin.pull(`oci:${dir}/artifact:1`);
  const image = await putImage(origin.cache, ["lib/app:1"], { a: 10 });
  await origin.tags.tag("lib/app:2", image.manifest);
  const artifact = await origin.find(`oci:${dir}/artifact:1`);
  const info = await origin.cache.find(artifact.digest);
  if (info !== undefined) await origin.tags.tag("lib/model:1", info);
  server = await origin.serve({
    port: await freePort(),
    onRequest: ({ method, path }) => requests.push(`${method} ${path}`),
  });
});

afterAll(async () => {
  await server.close();
  await origin.close();
  await rm(dir, { recursive: true, force: true });
});

const reference = (name: string) => `${server.host}:${server.port}/lib/${name}`;

it("a pull of some files of an artifact fetches only those, and sets no name", async () => {
  await using mote = await openMote({ dir: join(dir, "cache") });
  const to = join(dir, "out/");
  const report = await mote.pull(reference("model:1"), to, { only: ({ title }) => title === "weights/b.bin" });
  expect(await readdir(join(to, "weights"))).toEqual(["b.bin"]);
  expect([report.skipped.count, report.fetched.count]).toEqual([0, 1]);
  expect(await mote.tags.resolve(reference("model:1"))).toBeUndefined();
  const none = await mote.pull(reference("model:1"), to, { only: () => false }).catch((error: unknown) => error);
  expect(isNotFound(none)).toBe(true);
  await mote.pull(reference("model:1"), to);
  expect((await readdir(join(to, "weights"))).sort()).toEqual(["a.bin", "b.bin", "notes.txt"]);
  await mote.pull(reference("model:1"));
  expect(incompleteManifests(await takeInventory(mote.cache))).toEqual([]);
});

it("a pull that prefers the cache contacts the registry only for an image that is not complete", async () => {
  await using mote = await openMote({ dir: join(dir, "preferring") });
  await mote.pull(reference("app:1"), undefined, { preferCached: true });
  const before = requests.length;
  const report = await mote.pull(reference("app:1"), `oci:${dir}/preferred:1`, { preferCached: true });
  expect([requests.length, report.warnings]).toEqual([before, []]);
  await mote.pull(reference("app:2"), undefined, { preferCached: true });
  expect(requests.length).toBeGreaterThan(before);
});
