import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, MoteError, type MoteSource, NilCache } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { put } from "../../test/image.js";
import { FileCache } from "../index.js";

let folder: string;
const open: FileCache[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-circles-"));
});
afterEach(async () => {
  for (const cache of open.splice(0)) await cache[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const absent = digestBytes(Buffer.from("absent"));
type Wrap = (source: () => MoteSource) => MoteSource;

/** Forwards every call. */
const forward: Wrap = (source) => ({
  moteExists: (digest, options) => source().moteExists(digest, options),
  find: (digest, options) => source().find(digest, options),
  moteRef: (digest) => source().moteRef(digest),
  moteReader: (digest, options) => source().moteReader(digest, options),
  moteReaderAt: (digest, options) => source().moteReaderAt(digest, options),
});

const jobs: (() => void)[] = [];
let ring = () => {};
/** Runs all jobs in one loop, in whose async context no caller is known. */
const working = (async () => {
  for (;;) {
    const job = jobs.shift();
    if (job !== undefined) job();
    else
      await new Promise<void>((resolve) => {
        ring = resolve;
      });
  }
})();
void working;
function queued<T>(work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    jobs.push(() => work().then(resolve, reject));
    ring();
  });
}
/** Runs every call in the worker loop, without the async context of the caller. */
const byWorker: Wrap = (source) => ({
  moteExists: (digest) => queued(() => source().moteExists(digest)),
  find: (digest) => queued(() => source().find(digest)),
  moteRef: (digest) => source().moteRef(digest),
  moteReader: (digest) => queued(() => source().moteReader(digest)),
  moteReaderAt: (digest) => queued(() => source().moteReaderAt(digest)),
});
/** Shares one call among all concurrent callers. */
const shared: Wrap = (source) => {
  const asked = new Map<string, Promise<unknown>>();
  const once = <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    const asking = asked.get(what) ?? ask().finally(() => asked.delete(what));
    asked.set(what, asking);
    return asking as Promise<T>;
  };
  return {
    moteExists: (digest) => once(`exists ${digest}`, () => source().moteExists(digest)),
    find: (digest) => once(`find ${digest}`, () => source().find(digest)),
    moteRef: (digest) => source().moteRef(digest),
    moteReader: (digest, options) => source().moteReader(digest, options),
    moteReaderAt: (digest, options) => source().moteReaderAt(digest, options),
  };
};
/** Reads through a cache that stores nothing. */
const withNil: Wrap = (source) => {
  const nil = new NilCache();
  return {
    ...forward(source),
    moteExists: async (digest) => (await nil.moteExists(digest)) || source().moteExists(digest),
  };
};

function circle(length: number, wrap: Wrap): FileCache[] {
  const caches: FileCache[] = [];
  for (let n = 0; n < length; n++) {
    const next = () => caches[(n + 1) % length] as MoteSource;
    caches.push(new FileCache(join(folder, `cache ${n}`), { durability: "visible", fallback: wrap(next) }));
  }
  open.push(...caches);
  return caches;
}

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
async function resultsOf(cache: MoteSource, digest: Digest) {
  return {
    exists: await cache.moteExists(digest),
    find: await cache.find(digest),
    reader: await cache.moteReader(digest).then(() => "a reader", code),
    readerAt: await cache.moteReaderAt(digest).then(() => "a reader", code),
  };
}
const notFound = { exists: false, find: undefined, reader: "MOTE_NOT_FOUND", readerAt: "MOTE_NOT_FOUND" };

const wraps = { forward, byWorker, shared, withNil };
describe.each(Object.entries(wraps))("caches whose fallbacks form a circle (%s)", (_, wrap) => {
  it.each([1, 3])("end in not found, with %i caches", async (length) => {
    const [first] = circle(length, wrap);
    if (first === undefined) throw new Error("a circle has a cache");
    expect(await resultsOf(first, absent)).toEqual(notFound);
  });

  it("find what one of them has", async () => {
    const caches = circle(3, wrap);
    const [first, , last] = caches;
    if (first === undefined || last === undefined) throw new Error("there are three");
    const { digest } = await put(last, Buffer.from("it has this"), "text/plain");
    const many = await Promise.all(Array.from({ length: 20 }, () => first.moteExists(digest)));
    expect(many).toEqual(many.map(() => true));
    expect((await first.find(digest))?.size).toBe(11);
  });

  it("report damage if all of them are damaged", async () => {
    const caches = circle(2, wrap);
    const bytes = new Uint8Array(100_000).fill(7);
    const digest = digestBytes(bytes);
    for (const cache of caches) {
      await put(cache, bytes, "text/plain");
      chmodSync(cache.moteRef(digest), 0o644);
      writeFileSync(cache.moteRef(digest), "damaged");
    }
    const reading = async () => {
      for await (const _ of await (caches[0] as FileCache).moteReader(digest));
    };
    expect(["MOTE_CORRUPT", "MOTE_NOT_FOUND"]).toContain(await reading().then(() => "read", code));
  });
});
