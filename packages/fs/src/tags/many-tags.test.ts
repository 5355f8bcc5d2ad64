import { createHash } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileCache } from "../index.js";

const count = 500;
const digest = digestBytes(new Uint8Array(5));
const names = Array.from({ length: count }, (_, n) => `name ${String(n).padStart(4, "0")}`);
let root: string;
let cache: FileCache;
beforeEach(async () => {
  root = fs.mkdtempSync(join(tmpdir(), "mote-tags-"));
  cache = new FileCache(root, { durability: "visible" });
  await cache.initialize();
  for (const name of names) {
    const descriptor = { mediaType: mediaTypes.ociManifest, digest, size: 5, annotations: { line: "\n\u2028\r{" } };
    const file = `${createHash("sha256").update(name).digest("hex")}.json`;
    fs.writeFileSync(join(root, ".mote/tags", file), JSON.stringify({ name, descriptor }));
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  fs.rmSync(root, { recursive: true });
});

/** Returns the turns of the event loop during `work` if every time slice is over at once. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => {
    now += 10;
    return now;
  });
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isOver = true;
  return turns;
}

describe("work on many tags yields to the event loop", () => {
  it.each([
    ["list", async () => await cache.tags.list()[Symbol.asyncIterator]().next()],
    [
      "the view",
      async () => {
        fs.rmSync(join(root, "index.json"), { force: true });
        await cache.tags.tag("another", { mediaType: "text/plain", digest, size: 5 });
        await cache.update();
      },
    ],
    ["prune", async () => await cache.prune(0, { dryRun: true })],
  ])("during %s", async (_, work) => {
    expect(await turnsDuring(work)).toBeGreaterThan(count / 10);
  });
});

it("index.json has the format of JSON.stringify", async () => {
  fs.rmSync(join(root, "index.json"), { force: true });
  await cache.tags.untag(names.at(-1) ?? "");
  await cache.update();
  const text = fs.readFileSync(join(root, "index.json"), "utf8");
  expect(JSON.parse(text).manifests.length).toBe(count - 1);
  expect(text).toBe(`${JSON.stringify(JSON.parse(text), undefined, 2)}\n`);
  const folder = join(root, ".mote/tags");
  for (const file of fs.readdirSync(folder)) fs.rmSync(join(folder, file));
  fs.rmSync(join(root, "index.json"));
  await cache.tags.tag("last", { mediaType: "text/plain", digest, size: 5 });
  await cache.tags.untag("last");
  await cache.update();
  const empty = fs.readFileSync(join(root, "index.json"), "utf8");
  expect(empty).toBe(`${JSON.stringify(JSON.parse(empty), undefined, 2)}\n`);
  expect(JSON.parse(empty).manifests).toEqual([]);
});
