import fs, { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError } from "@mote/core";
import { afterEach, beforeEach, vi } from "vitest";
import { FileCache } from "../src/index.js";

// Importing this registers the hooks for the tests of the importing file.
export const mediaType = "application/octet-stream";
export const small = new Uint8Array(1000).fill(1);
export const large = new Uint8Array(1_000_000).fill(2);
export let folder: string;
export let root: string;
export let cache: FileCache;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-faults-"));
  root = join(folder, "cache");
  cache = new FileCache(root);
  await cache.initialize();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
export const failure = async (work: Promise<unknown>) => await work.then(() => "none", code);
export const errno = (name: string) => Object.assign(new Error(name), { code: name });

/** Fails the next calls of a synchronous function of node:fs. */
export function failSync(
  method: "openSync" | "writeSync" | "renameSync" | "linkSync" | "unlinkSync" | "readSync" | "lstatSync",
  name: string,
) {
  return vi.spyOn(fs, method).mockImplementation(() => {
    throw errno(name);
  });
}
