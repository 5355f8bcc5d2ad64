import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { FileCache } from "../file-cache.js";

const root = mkdtempSync(join(tmpdir(), "mote-temporary-"));
afterAll(() => rmSync(root, { recursive: true }));

it("a temporary folder is below the cache, and disposal removes it with its files", async () => {
  await using cache = new FileCache(root);
  const folder = await cache.temporaryFolder();
  expect(folder.path.startsWith(join(root, ".mote", "ingest"))).toBe(true);
  writeFileSync(join(folder.path, "file"), "x");
  // It is in use, so neither a prune nor another cache object removes it.
  await cache.prune(0);
  await using other = new FileCache(root);
  await other.initialize();
  expect(existsSync(join(folder.path, "file"))).toBe(true);
  await folder[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  expect(existsSync(folder.path)).toBe(false);
});
