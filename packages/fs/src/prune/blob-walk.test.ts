import { hash } from "node:crypto";
import fs from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDigest } from "@mote/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FileCache } from "../index.js";

// More than one thread walks alone.
const count = 50_500;
const content = "ten bytes.";
const digests = Array.from({ length: count }, (_, n) => parseDigest(`sha256:${hash("sha256", String(n))}`));
let root: string;
let blobs: string;

const pathOf = (n: number) => `${blobs}/${digests[n]?.slice("sha256:".length)}`;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-many-"));
  await using cache = new FileCache(root);
  await cache.initialize();
  blobs = join(root, "blobs/sha256");
  for (let n = 0; n < count; n++) {
    fs.writeFileSync(pathOf(n), content);
    fs.utimesSync(pathOf(n), 1_600_000_000 + ((n * 7919) % count), 1_600_000_000);
  }
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

it("a prune with several walking threads can be cancelled", async () => {
  await using cache = new FileCache(root);
  const stop = new AbortController();
  const pruning = cache.prune(0, { signal: stop.signal, dryRun: true });
  setImmediate(() => stop.abort());
  await expect(pruning).rejects.toMatchObject({ name: "AbortError" });
});

it("a prune with several walking threads removes exactly the least recently used blobs, and no other files", async () => {
  const foreign = join(blobs, "f".repeat(63));
  const linked = join(blobs, "e".repeat(64));
  fs.writeFileSync(foreign, content);
  fs.symlinkSync(foreign, linked);
  fs.linkSync(pathOf(0), join(root, "second-name"));
  await using cache = new FileCache(root);

  const kept = 500;
  const report = await cache.prune(kept * content.length);

  expect(report.removed.length).toBe(count - kept);
  expect(report.remainingBytes).toBe(kept * content.length);
  // The first one has a second link, and was the least recently used.
  expect(report.removedBytes - report.freedBytes).toBe(content.length);
  const youngest = digests.filter((_, n) => (n * 7919) % count >= count - kept).map((digest) => digest.slice(7));
  expect(fs.readdirSync(blobs).sort()).toEqual([...youngest, "f".repeat(63), "e".repeat(64)].sort());
});
