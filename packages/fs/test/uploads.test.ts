import { spawn } from "node:child_process";
import { once } from "node:events";
import fs, {
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type UploadCache, uploadsSuite } from "@mote/conformance";
import { digestBytes } from "@mote/core";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileCache } from "../src/index.js";
import { failure } from "./failing-calls.js";

const folder = mkdtempSync(join(tmpdir(), "mote-uploads-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("FileCache", () => {
  const roots = new WeakMap<UploadCache, string>();
  const open = (root: string) => {
    const cache = new FileCache(root, { durability: "visible" });
    roots.set(cache, root);
    return cache;
  };
  uploadsSuite({ describe, it, expect }, () => open(mkdtempSync(join(folder, "cache-"))), {
    reopen: (cache) => open(roots.get(cache) ?? ""),
  });
});

describe("the uploads of a cache folder", () => {
  const bytes = new Uint8Array(300_000).fill(7);
  const digest = digestBytes(bytes);
  let root: string;
  let cache: FileCache;
  beforeEach(() => {
    root = mkdtempSync(join(folder, "cache-"));
    cache = new FileCache(root, { keepUploads: { maxUploads: 3, maxBytes: 500_000 } });
  });
  afterEach(() => void vi.restoreAllMocks());
  const files = () => readdirSync(join(root, ".mote/uploads")).filter((name) => name !== "format.json");
  const only = () => join(root, ".mote/uploads", String(files()[0]));

  it("continue after the process that received them was killed", async () => {
    await cache.initialize();
    const child = spawn(process.execPath, [fileURLToPath(new URL("upload-process.mjs", import.meta.url)), root]);
    const [line] = await once(child.stdout, "data");
    const id = String(line).trim();
    expect(await cache.uploads.status("library/app", id)).toEqual({ id, offset: 150_000 });
    expect(await failure(cache.uploads.append("library/app", id, [bytes]))).toBe("MOTE_IN_USE");
    child.kill("SIGKILL");
    await once(child, "exit");
    const { ino } = fs.statSync(only());
    await cache.uploads.append("library/app", id, [bytes.subarray(150_000)], { offset: 150_000 });
    // The killed process might only have been suspended: its file is never appended to.
    expect(fs.statSync(only()).ino).not.toBe(ino);
    await cache.uploads.finish("library/app", id, digest);
    expect(await cache.verifyMote(digest)).toBe(true);
    expect(files()).toEqual([]);
    expect(readdirSync(join(root, ".mote/ingest"))).toEqual([]);
  });

  it("are copied from a silent writer, which then learns that it lost the upload", async () => {
    const { id } = await cache.uploads.begin("library/app");
    const another = new FileCache(root);
    const silent = async function* () {
      yield bytes.subarray(0, 1000);
      vi.spyOn(Date, "now").mockReturnValue(Date.now() + 31_000);
      await another.uploads.append("library/app", id, [bytes.subarray(1000)], { offset: 1000 });
      yield new Uint8Array(1000).fill(1);
    };
    expect(await failure(cache.uploads.append("library/app", id, silent()))).toBe("MOTE_WRITER_GONE");
    await another.uploads.finish("library/app", id, digest);
    expect(await another.verifyMote(digest)).toBe(true);
  });

  it("lose only what was sent last if the disk is full, and continue when it has space", async () => {
    const { id } = await cache.uploads.begin("library/app");
    await cache.uploads.append("library/app", id, [bytes.subarray(0, 100)]);
    const write = vi.spyOn(fs, "write").mockImplementation(((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(Object.assign(new Error("full"), { code: "ENOSPC" }));
    }) as never);
    expect(await failure(cache.uploads.append("library/app", id, [bytes.subarray(100)]))).toBe("MOTE_NO_SPACE");
    write.mockRestore();
    expect(await cache.uploads.status("library/app", id)).toEqual({ id, offset: 100 });
    await cache.uploads.append("library/app", id, [bytes.subarray(100)], { offset: 100 });
    await cache.uploads.finish("library/app", id, digest);
    expect(await cache.verifyMote(digest)).toBe(true);
  });

  it("are limited in number and size", async () => {
    const { id } = await cache.uploads.begin("library/app");
    const endless = function* () {
      for (;;) yield bytes;
    };
    expect(await failure(cache.uploads.append("library/app", id, endless()))).toBe("MOTE_TOO_LARGE");
    expect(fs.statSync(only()).size).toBe(0);
    for (const name of ["a", "b"]) await cache.uploads.begin(name);
    expect(await failure(cache.uploads.begin("c"))).toBe("MOTE_TOO_LARGE");
    utimesSync(only(), 1, 1);
    await cache.uploads.begin("c");
    expect(files()).toHaveLength(3);
  });

  it("expire when the folder is opened and when it is pruned", async () => {
    for (const run of [() => new FileCache(root).initialize(), () => cache.prune(Number.POSITIVE_INFINITY)]) {
      await cache.uploads.begin("library/app");
      utimesSync(only(), 1, 1);
      await cache.uploads.begin("library/app");
      await run();
      expect(files()).toHaveLength(1);
      rmSync(only());
    }
  });

  it("ignore files that others put into their folder, and follow no link", async () => {
    const { id } = await cache.uploads.begin("library/app");
    const target = join(folder, "target");
    writeFileSync(target, "outside");
    writeFileSync(join(root, ".mote/uploads/other"), "");
    rmSync(only());
    const [one] = [await cache.uploads.begin("library/app")];
    const path = join(root, ".mote/uploads", String(files().find((name) => name.startsWith(one.id))));
    rmSync(path);
    symlinkSync(target, path);
    expect(await failure(cache.uploads.append("library/app", one.id, [bytes]))).toBe("MOTE_IO");
    expect(fs.readFileSync(target, "utf8")).toBe("outside");
    expect(await failure(cache.uploads.append("library/app", id, [bytes]))).toBe("MOTE_NOT_FOUND");
    expect(await cache.uploads.expire()).toBe(0);
    expect(existsSync(join(root, ".mote/uploads/other"))).toBe(true);
  });

  it("reject a newer version of their format", async () => {
    await cache.uploads.begin("library/app");
    writeFileSync(join(root, ".mote/uploads/format.json"), '{"format":"mote-uploads","version":2}');
    expect(await failure(new FileCache(root).uploads.begin("library/app"))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("are read again if another file of the same size took their place", async () => {
    const { id } = await cache.uploads.begin("library/app");
    await cache.uploads.append("library/app", id, [bytes]);
    const path = only();
    writeFileSync(`${path}.new`, new Uint8Array(300_000));
    renameSync(`${path}.new`, path);
    expect(await failure(cache.uploads.finish("library/app", id, digest))).toBe("MOTE_DIGEST_MISMATCH");
  });
});
