import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { put } from "../../test/image.js";
import { FileCache, type FileCacheOptions } from "../index.js";

const mediaType = "application/octet-stream";
const bytes = new TextEncoder().encode("some bytes");
const digest = digestBytes(bytes);
let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-cache-"));
  root = join(folder, "cache");
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (options: FileCacheOptions = {}, at = root) => new FileCache(at, options);

/** Changes a byte, as a disk error or another tool might. */
function damage(cache: FileCache, what: Digest): void {
  const path = cache.moteRef(what);
  chmodSync(path, 0o644);
  const content = readFileSync(path);
  content[0] = (content[0] ?? 0) ^ 1;
  writeFileSync(path, content);
}

describe("verify", () => {
  it("can be cancelled, and reports its progress", async () => {
    await using cache = open();
    for (let n = 0; n < 20; n++) await put(cache, new Uint8Array(10).fill(n), mediaType);
    const caller = new AbortController();
    const seen: number[] = [];
    const verifying = cache.verify({
      signal: caller.signal,
      concurrency: 1,
      onProgress: ({ motes }) => {
        seen.push(motes);
        if (motes === 5) caller.abort(new RangeError("enough"));
      },
    });
    await expect(verifying).rejects.toBeInstanceOf(RangeError);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it("continues where an earlier run was cancelled", async () => {
    await using cache = open();
    for (let n = 0; n < 20; n++) await put(cache, new Uint8Array(10).fill(n), mediaType);
    const caller = new AbortController();
    const done = new Set<Digest>();
    const first = cache.verify({
      signal: caller.signal,
      onProgress: ({ digest: each, motes }) => {
        done.add(each);
        if (motes === 8) caller.abort(new RangeError("enough"));
      },
    });
    await expect(first).rejects.toBeInstanceOf(RangeError);
    const second = await cache.verify({ skip: (each) => done.has(each) });
    expect(second.motes).toBe(20 - done.size);
  });

  it("does not quarantine damaged motes with keepDamaged", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    damage(cache, digest);
    const report = await cache.verify({ keepDamaged: true });
    expect(report.damaged).toEqual([{ digest, size: bytes.byteLength }]);
    expect(existsSync(cache.moteRef(digest))).toBe(true);
  });
});
