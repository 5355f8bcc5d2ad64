import { existsSync, linkSync, lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, type MoteSource, readMote } from "@mote/core";
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
const read = async (source: MoteSource, what = digest) => await readMote(source, what, { maxBytes: 10_000_000 });

describe("commitMote", () => {
  it("accepts the blob's own file and does not change it", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    await cache.commitMote(cache.moteRef(digest), { digest, mediaType }, "move");
    expect(await read(cache)).toEqual(new Uint8Array(bytes));
  });

  it("moves the target of a symbolic link, and removes the link", async () => {
    await using cache = open();
    writeFileSync(join(folder, "source"), bytes);
    symlinkSync(join(folder, "source"), join(folder, "link"));
    await cache.commitMote(join(folder, "link"), { digest, mediaType }, "move");
    expect(lstatSync(cache.moteRef(digest)).isFile()).toBe(true);
    expect(existsSync(join(folder, "link"))).toBe(false);
    expect(existsSync(join(folder, "source"))).toBe(true);
  });

  it("does not share a file that has other links", async () => {
    await using cache = open();
    writeFileSync(join(folder, "source"), bytes);
    linkSync(join(folder, "source"), join(folder, "other-name"));
    await cache.commitMote(join(folder, "source"), { digest, mediaType }, "move");
    writeFileSync(join(folder, "other-name"), "written to later");
    expect(await read(cache)).toEqual(new Uint8Array(bytes));
  });
});
