import { chmodSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaTypes, readMote } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { put } from "../../test/image.js";
import { examineFolder, FileCache } from "../index.js";

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-examine-"));
  root = join(folder, "cache");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const everything = (path: string) => readdirSync(path, { recursive: true }).sort();

describe("examineFolder", () => {
  it("reports the directory and the file system of a cache, and leaves nothing behind", async () => {
    await using cache = new FileCache(root);
    await cache.initialize();
    const before = everything(root);
    const found = examineFolder(root);
    expect(found).toMatchObject({ state: "cache", isWritable: true, mode: 0o755, isNetwork: false });
    expect(found).toMatchObject({
      hasHardLinks: true,
      keepsTimes: true,
      unfinished: { files: 0 },
      damaged: { files: 0 },
    });
    expect(found.freeBytes).toBeGreaterThan(0);
    expect(found.totalBytes).toBeGreaterThanOrEqual(found.freeBytes ?? 0);
    expect(everything(root)).toEqual(before);
  });

  it("reports each directory of the cache that all users may write to", async () => {
    await using cache = new FileCache(root);
    await cache.initialize();
    expect(examineFolder(root).writableByAll).toEqual([]);
    const open = [root, join(root, "blobs", "sha256"), join(root, ".mote", "tags")];
    for (const path of open) chmodSync(path, 0o777);
    expect([...examineFolder(root).writableByAll].sort()).toEqual(open.sort());
  });

  it("does not create the directory, and examines its parent", () => {
    expect(examineFolder(root)).toMatchObject({ state: "absent", isWritable: true, mode: undefined });
    expect(examineFolder(join(root, "deep", "er"))).toMatchObject({ state: "absent", isWritable: true });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("reports why a directory is rejected, and that all users may write to it", () => {
    writeFileSync(root, "a file");
    expect(examineFolder(root).state).toBe("refused");
    rmSync(root);
    chmodSync(folder, 0o777);
    expect(examineFolder(folder)).toMatchObject({ state: "empty", mode: 0o777 });
    writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"9.0.0"}');
    expect(examineFolder(folder).error?.code).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it.skipIf(process.platform !== "linux")("reports a directory in which nothing can be created", () => {
    expect(examineFolder("/proc/mote")).toMatchObject({ state: "absent", isWritable: false });
  });

  it("counts ingest files and quarantined blobs", async () => {
    await using cache = new FileCache(root);
    const bytes = new TextEncoder().encode("will be damaged");
    const { digest } = await put(cache, bytes, mediaTypes.octetStream);
    chmodSync(cache.moteRef(digest), 0o644);
    truncateSync(cache.moteRef(digest), 3);
    await expect(readMote(cache, digest, { maxBytes: 100 })).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
    const mote = await cache.createMote(digest, mediaTypes.octetStream, 1_000_000);
    const writer = await cache.resumeMote(mote);
    await writer.write(new Uint8Array(500_000));
    await writer.suspend();
    expect(examineFolder(root)).toMatchObject({
      damaged: { files: 1, bytes: 3 },
      unfinished: { files: 1, bytes: 500_000 },
    });
  });
});
