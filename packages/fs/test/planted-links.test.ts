import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError, readMote } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileCache } from "../src/index.js";
import { put, putImage } from "./image.js";

const mediaType = "application/octet-stream";
const bytes = new Uint8Array(3_000_000).map((_, n) => (n * 7) ^ (n >> 8));
const digest = digestBytes(bytes);
const mote = { digest, mediaType, size: bytes.byteLength };
let folder: string;
let root: string;
let outside: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "mote-links-"));
  root = join(folder, "cache");
  outside = join(folder, "outside");
  fs.mkdirSync(outside);
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
const failure = async (work: Promise<unknown>) => await work.then(() => "none", code);
const drain = async (items: AsyncIterable<unknown>) => {
  for await (const _ of items);
};
/** Returns names, content and times of everything outside the cache. */
const state = (path = outside): unknown =>
  fs.readdirSync(path, { withFileTypes: true }).map((entry) => {
    const below = join(path, entry.name);
    const { mtimeMs, nlink, mode } = fs.lstatSync(below);
    const content = entry.isDirectory() ? state(below) : fs.readFileSync(below, "base64");
    return [entry.name, content, entry.isDirectory() ? 0 : mtimeMs, nlink, mode];
  });

const jobs: Record<string, (cache: FileCache) => Promise<unknown>> = {
  initialize: (cache) => cache.initialize(),
  moteExists: (cache) => cache.moteExists(digest),
  find: (cache) => cache.find(digest),
  moteReader: (cache) => cache.moteReader(digest).then(drain),
  "moteReader of a part": (cache) => cache.moteReader(digest, { start: 5, end: 2_000_000 }).then(drain),
  put: (cache) => put(cache, bytes, mediaType),
  resumeMote: async (cache) => await (await cache.resumeMote(mote)).abort(),
  leadMote: async (cache) => await (await cache.leadMote(mote))?.abort(),
  followMote: async (cache) => await (await cache.followMote(digest))?.close(),
  removeMote: (cache) => cache.removeMote(digest),
  motes: (cache) => drain(cache.motes()),
  verify: (cache) => cache.verify(),
  prune: (cache) => cache.prune(0),
  lease: async (cache) => await (await cache.lease([digest])).release(),
  linkTo: (cache) => cache.linkTo(digest, join(folder, "target")),
  tag: (cache) => cache.tags.tag("name", mote),
  resolve: (cache) => cache.tags.resolve("name"),
  "list tags": (cache) => drain(cache.tags.list()),
  untag: (cache) => cache.tags.untag("name"),
  pin: (cache) => cache.pinned.pin(digest),
  pins: (cache) => drain(cache.pinned.pins()),
  "resolve in a new cache": () => new FileCache(root).tags.resolve("name"),
};

describe("a symbolic link in place of a directory is rejected, and nothing behind it is read, written or removed", () => {
  const folders = ["ingest", "quarantine", "tags", "leases", "pins", "manifests", "pruning", "chunks", "leads"];
  for (const place of ["blobs", "blobs/sha256", "blobs/sha512", ".mote", ...folders.map((name) => `.mote/${name}`)]) {
    for (const when of ["before", "while"]) {
      it(`${place}, planted ${when} the cache is open`, async () => {
        await using first = new FileCache(root);
        await put(first, bytes, mediaType);
        await first.tags.tag("name", mote);
        await first.pinned.pin(digest);
        fs.renameSync(join(root, place), join(outside, "moved"));
        fs.symlinkSync(join(outside, "moved"), join(root, place));
        const before = state();
        for (const [name, job] of Object.entries(jobs)) {
          await using next = new FileCache(root);
          // The check is made once in each turn of the event loop.
          await new Promise((resolve) => setImmediate(resolve));
          expect([name, await failure(job(when === "before" ? next : first))]).toEqual([
            name,
            "MOTE_UNSUPPORTED_FORMAT",
          ]);
          expect([name, state()]).toEqual([name, before]);
        }
      });
    }
  }
});

describe("a symbolic link in place of a file is not followed", () => {
  it("by any operation on a cache full of them", async () => {
    await using cache = new FileCache(root);
    const image = await putImage(cache, "image", ["layer"]);
    await put(cache, bytes, mediaType);
    await cache.verify();
    await cache.pinned.pin(image.manifest.digest);
    const links = [];
    for (const place of [
      "blobs/sha256",
      ".mote/tags",
      ".mote/pins",
      ".mote/manifests",
      ".mote/chunks",
      ".mote/leases",
      ".mote/ingest",
      ".mote/leads",
      ".mote/quarantine",
    ]) {
      for (const name of [...fs.readdirSync(join(root, place)), "planted"]) {
        const path = join(root, place, name);
        const target = join(outside, `${place.replace("/", "-")}-${name}`);
        if (name === "planted") fs.writeFileSync(target, `${digest}\n`);
        else fs.renameSync(path, target);
        fs.symlinkSync(target, path);
        links.push(path);
      }
    }
    for (const name of ["index.json", "oci-layout", ".mote/format.json"]) {
      fs.renameSync(join(root, name), join(outside, name.replace("/", "-")));
      fs.symlinkSync(join(outside, name.replace("/", "-")), join(root, name));
    }
    const before = state();
    for (const [name, job] of Object.entries(jobs)) {
      await using next = new FileCache(root);
      await failure(job(next));
      expect([name, state()]).toEqual([name, before]);
    }
    await using next = new FileCache(root);
    expect(await next.moteExists(image.manifest.digest)).toBe(false);
    expect(await next.tags.resolve("image")).toBe(undefined);
    await put(next, bytes, mediaType);
    expect(await failure(readMote(next, digest, { maxBytes: 10_000_000 }))).toBe("none");
    expect(fs.lstatSync(join(root, "index.json")).isFile()).toBe(true);
    expect(state()).toEqual(before);
  });

  it("if it dangles and a file is created in its place", async () => {
    await using cache = new FileCache(root);
    await cache.initialize();
    for (const place of ["pins", "manifests", "chunks"]) {
      fs.symlinkSync(join(outside, place), join(root, ".mote", place, digest.replace(":", "-")));
    }
    await put(cache, bytes, "application/vnd.oci.image.manifest.v1+json");
    await cache.pinned.pin(digest);
    await cache.verify();
    expect(fs.readdirSync(outside)).toEqual([]);
  });
});
