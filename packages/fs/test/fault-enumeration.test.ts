import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError, mediaTypes, readMote } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FileCache } from "../src/index.js";
import { put } from "./image.js";

/**
 * Fails every call of node:fs that a long use of a cache makes, one in each run. By default only some of them, starting with another
 * one for each error; `FAULTS=7` fails every seventh call, `FAULTS=all` every call.
 */
const stride = process.env.FAULTS === "all" ? 1 : Number(process.env.FAULTS || 61);
const errors = ["EIO", "ENOSPC", "EACCES", "EMFILE"];

const small = randomBytes(1000);
const large = randomBytes(1_200_000);
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [] }));
const descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(large), size: large.byteLength };
const existing = { exists: fs.existsSync, list: fs.readdirSync, write: fs.writeFileSync, remove: fs.rmSync };
let folder: string;
let root: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "mote-enumeration-"));
});
afterEach(() => existing.remove(folder, { recursive: true }));

async function all<T>(items: AsyncIterable<T>, use: (item: T) => unknown): Promise<void> {
  for await (const item of items) await use(item);
}

function jobsOf(cache: FileCache): Record<string, () => Promise<unknown>> {
  const kept = async (bytes: Uint8Array, mediaType: string = mediaTypes.octetStream) => {
    await put(cache, bytes, mediaType);
    // Acknowledged writes exist.
    if (!existing.exists(cache.moteRef(digestBytes(bytes)))) throw new Error("a mote was lost");
  };
  const gone = async () => {
    if (existing.exists(cache.moteRef(descriptor.digest))) await cache.removeMote(descriptor.digest);
  };
  return {
    initialize: () => cache.initialize(),
    "put small": () => kept(small),
    "put large": () => kept(large),
    "put manifest": () => kept(manifest, mediaTypes.ociManifest),
    async lead() {
      await gone();
      await using writer = await cache.leadMote(descriptor);
      await writer?.write(large);
      await writer?.close();
    },
    async resume() {
      await gone();
      const first = await cache.resumeMote(descriptor);
      await first.write(large.subarray(first.offset, 700_000));
      await first.suspend();
      await using second = await cache.resumeMote(descriptor);
      await second.write(large.subarray(second.offset));
      await second.close();
    },
    async follow() {
      await gone();
      await using writer = await cache.leadMote(descriptor);
      await writer?.write(large.subarray(0, 700_000));
      await using follower = await cache.followMote(descriptor.digest);
      const following = follower && all(follower, () => {});
      following?.catch(() => {});
      await writer?.write(large.subarray(700_000));
      await writer?.close();
      await following;
    },
    async move() {
      await gone();
      const source = join(folder, "source");
      await cache.commitMote(source, descriptor, "move");
      if (existing.exists(source) || !existing.exists(cache.moteRef(descriptor.digest))) throw new Error("lost");
    },
    exists: () => cache.moteExists(descriptor.digest),
    read: () => all(cache.motes(), ({ digest }) => readMote(cache, digest, { maxBytes: 2_000_000 })),
    "read a part": () =>
      all(cache.motes(), async ({ digest }) => all(await cache.moteReader(digest, { start: 1 }), () => {})),
    async "read at"() {
      await using reader = await cache.moteReaderAt(descriptor.digest);
      await reader.readAt(new Uint8Array(10), 5);
    },
    link: () => all(cache.motes(), ({ digest }) => cache.linkTo(digest, join(folder, "targets", "target"))),
    tag: () => cache.tags.tag("name", { ...descriptor, mediaType: mediaTypes.ociManifest }),
    tags: () => all(cache.tags.list(), ({ name }) => cache.tags.resolve(name)),
    untag: () => cache.tags.untag("name"),
    pin: () => cache.pinned.pin(digestBytes(small)),
    pins: () => all(cache.pinned.pins(), () => {}),
    unpin: () => cache.pinned.unpin(digestBytes(small)),
    async lease() {
      await using _ = await cache.lease([descriptor.digest]);
    },
    async "tag again"() {
      await cache.tags.tag("other", {
        mediaType: mediaTypes.ociManifest,
        digest: digestBytes(manifest),
        size: manifest.byteLength,
      });
    },
    verify: () => cache.verify(),
    remove: () => cache.removeMote(digestBytes(small)),
    prune: () => cache.prune(1000),
    "prune all": () => cache.prune(0),
  };
}

const synchronous = [
  "openSync",
  "lstatSync",
  "statSync",
  "fstatSync",
  "futimesSync",
  "fchmodSync",
  "renameSync",
  "linkSync",
  "unlinkSync",
  "readSync",
  "writeSync",
  "writeFileSync",
  "readFileSync",
  "readdirSync",
  "mkdirSync",
  "ftruncateSync",
  "symlinkSync",
  "rmSync",
  "realpathSync",
] as const;
const withCallback = [
  "read",
  "write",
  "fdatasync",
  "fsync",
  "open",
  "lstat",
  "fstat",
  "rename",
  "unlink",
  "futimes",
  "link",
] as const;

/** Counts the calls below the cache's directory, and fails the one with the given number. */
class Faults {
  calls = 0;
  failed: string | undefined;
  readonly #undo: (() => void)[] = [];

  constructor(at: number, code: string) {
    const fails = (name: string) => {
      if (++this.calls !== at) return undefined;
      this.failed = name;
      return Object.assign(new Error(`${code}: injected into ${name}`), { code });
    };
    for (const name of synchronous) {
      this.#replace(name, (original) => (...args) => {
        const error = fails(name);
        if (error) throw error;
        return Reflect.apply(original, fs, args);
      });
    }
    for (const name of withCallback) {
      this.#replace(name, (original) => (...args) => {
        const error = fails(name);
        const done = args.at(-1);
        if (error && typeof done === "function") return process.nextTick(() => done(error));
        return Reflect.apply(original, fs, args);
      });
    }
  }

  restore(): void {
    for (const undo of this.#undo) undo();
  }

  #replace(name: string, wrap: (original: (...args: unknown[]) => unknown) => (...args: unknown[]) => unknown): void {
    const original: (...args: unknown[]) => unknown = Reflect.get(fs, name);
    Reflect.set(fs, name, wrap(original));
    this.#undo.push(() => Reflect.set(fs, name, original));
  }
}

/** Fails if the work hangs, and says where. */
async function withoutHang(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), 30_000);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const openFiles = () => existing.list("/proc/self/fd").length;

async function day(at: number, code: string) {
  root = join(folder, `${at}-${code}`);
  const cache = new FileCache(root, { chunkDigests: "write", syncTogether: false });
  existing.write(join(folder, "source"), large);
  const faults = new Faults(at, code);
  const outcomes: Record<string, string> = {};
  try {
    for (const [name, job] of Object.entries(jobsOf(cache))) {
      outcomes[name] = await withoutHang(job()).then(
        () => "done",
        (error: unknown) =>
          MoteError.isInstance(error)
            ? error.code
            : `${faults.failed}: ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
  } finally {
    faults.restore();
  }
  return { cache, faults, outcomes };
}

async function nextUse(cache: FileCache, failed: string | undefined): Promise<void> {
  expect((await cache.verify()).damaged).toEqual([]);
  for (const bytes of [small, large]) {
    await put(cache, bytes, mediaTypes.octetStream);
    expect(Buffer.compare(await readMote(cache, digestBytes(bytes), { maxBytes: 2_000_000 }), bytes)).toBe(0);
  }
  await cache.pinned.unpin(digestBytes(small));
  const report = await cache.prune(0);
  expect([report.reached, report.skipped]).toEqual([true, []]);
  await cache[Symbol.asyncDispose]();
  // Files that could not be removed are removed after the process has ended.
  if (failed !== undefined && /unlink|rm/.test(failed)) return;
  for (const place of [".mote/ingest", ".mote/leads", ".mote/leases", ".mote/pruning", ".mote/tags"]) {
    expect([place, existing.list(join(root, place))]).toEqual([place, []]);
  }
}

it("after any failed call, the error has a code, nothing is torn or lost, space and descriptors are freed, and the cache works", async () => {
  // Twice, because the first one loads modules.
  await nextUse((await day(-1, "warm")).cache, undefined);
  const quiet = await day(-1, "none");
  expect([...new Set(Object.values(quiet.outcomes))]).toEqual(["done"]);
  await nextUse(quiet.cache, undefined);
  const problems: unknown[] = [];
  for (const [start, code] of errors.entries()) {
    for (let at = 1 + Math.floor((start * stride) / errors.length); at <= quiet.faults.calls; at += stride) {
      const before = openFiles();
      const { cache, faults, outcomes } = await day(at, code);
      const failed = Object.entries(outcomes).filter(([, outcome]) => outcome !== "done");
      const strange = failed.filter(([, outcome]) => outcome !== "done" && !/^MOTE_[A-Z_]+$/.test(outcome));
      if (strange.length > 0) problems.push([at, code, faults.failed, strange]);
      await withoutHang(nextUse(cache, faults.failed)).catch((error: unknown) =>
        problems.push([at, code, faults.failed, failed, String(error).slice(0, 600)]),
      );
      if (openFiles() > before) problems.push([at, code, faults.failed, "files left open", openFiles() - before]);
      existing.remove(root, { recursive: true, force: true });
    }
  }
  expect(problems).toEqual([]);
}, 600_000);
