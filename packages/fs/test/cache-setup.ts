import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, MoteError, type MoteSource, readMote } from "@mote/core";
import { afterEach, beforeEach } from "vitest";
import { FileCache, type FileCacheOptions } from "../src/index.js";

// Importing this registers the hooks for the tests of the importing file.
export const mediaType = "application/octet-stream";
export const bytes = new TextEncoder().encode("some bytes");
export const digest = digestBytes(bytes);
export let folder: string;
export let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-cache-"));
  root = join(folder, "cache");
});
afterEach(() => rmSync(folder, { recursive: true }));

export const open = (options: FileCacheOptions = {}, at = root) => new FileCache(at, options);
const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
export const failure = async (work: Promise<unknown>) => await work.then(() => "none", code);
export const read = async (source: MoteSource, what = digest) => await readMote(source, what, { maxBytes: 10_000_000 });
export const index = () => JSON.parse(readFileSync(join(root, "index.json"), "utf8"));
/** Changes a byte, as a disk error or another tool might. */
export function damage(cache: FileCache, what: Digest): void {
  const path = cache.moteRef(what);
  chmodSync(path, 0o644);
  const content = readFileSync(path);
  content[0] = (content[0] ?? 0) ^ 1;
  writeFileSync(path, content);
}
/** Sets the last use of a blob to `hours` ago. */
export function age(cache: FileCache, what: Digest, hours: number): void {
  const path = cache.moteRef(what);
  utimesSync(path, Date.now() / 1000 - hours * 3600, statSync(path).mtimeMs / 1000);
}
