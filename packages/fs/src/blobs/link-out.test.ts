import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, MoteError } from "@mote/core";
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
const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
const failure = async (work: Promise<unknown>) => await work.then(() => "none", code);

/** Changes a byte, as a disk error or another tool might. */
function damage(cache: FileCache, what: Digest): void {
  const path = cache.moteRef(what);
  chmodSync(path, 0o644);
  const content = readFileSync(path);
  content[0] = (content[0] ?? 0) ^ 1;
  writeFileSync(path, content);
}

describe("linkTo", () => {
  it("hashes a changed blob, and links a verified one without hashing", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    utimesSync(cache.moteRef(digest), new Date(), new Date());
    expect(await cache.linkTo(digest, join(folder, "target"))).toBe(true);
    damage(cache, digest);
    expect(await failure(cache.linkTo(digest, join(folder, "other")))).toBe("MOTE_CORRUPT");
    expect(existsSync(join(folder, "other"))).toBe(false);
    expect(readdirSync(join(root, ".mote/quarantine")).length).toBe(1);
  });

  it("detects a blob that was replaced by another with the same times", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    const path = cache.moteRef(digest);
    const { atime, mtimeMs } = statSync(path);
    // Kept, so that the other file gets another inode: the stamp depends on size and inode.
    linkSync(path, join(folder, "holds-the-inode"));
    rmSync(path);
    writeFileSync(path, "SOME bytes");
    utimesSync(path, atime, mtimeMs / 1000);
    expect(await failure(cache.linkTo(digest, join(folder, "target")))).toBe("MOTE_CORRUPT");
  });

  it("leaves no temporary file next to the target", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    mkdirSync(join(folder, "out"));
    for (let n = 0; n < 3; n++) await cache.linkTo(digest, join(folder, "out/target"));
    expect(readdirSync(join(folder, "out"))).toEqual(["target"]);
    mkdirSync(join(folder, "out/taken/deep"), { recursive: true });
    expect(await failure(cache.linkTo(digest, join(folder, "out/taken")))).toBe("MOTE_IO");
    expect(readdirSync(join(folder, "out")).sort()).toEqual(["taken", "target"]);
  });
});
