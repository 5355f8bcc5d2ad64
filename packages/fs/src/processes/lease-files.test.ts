import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, isDigest, type Lease } from "@mote/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { put } from "../../test/image.js";
import { FileCache } from "../index.js";

const mediaType = "application/octet-stream";
const hour = 3_600_000;
let folder: string;
let root: string;
let cache: FileCache;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-leases-"));
  root = join(folder, "cache");
  cache = new FileCache(root, { durability: "visible" });
  await cache.initialize();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const files = () => readdirSync(join(root, ".mote/leases")).map((name) => join(root, ".mote/leases", name));
const descriptors = () => readdirSync("/proc/self/fd").length;
const some = (count: number) => Array.from({ length: count }, (_, n) => digestBytes(Buffer.from(`blob ${n}`)));
async function putSome(count: number): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (let n = 0; n < count; n++) digests.push((await put(cache, Buffer.from(`blob ${n}`), mediaType)).digest);
  return digests;
}
/** Returns what another process finds leased, and therefore does not prune. */
async function leasedForOthers(): Promise<Set<Digest>> {
  await using other = new FileCache(root, { durability: "visible" });
  const { skipped } = await other.prune(0, { dryRun: true });
  return new Set(skipped.map(({ digest }) => digest));
}
/** Returns what a release that does not know release lines finds leased. */
function leasedForOlderRelease(): Set<Digest> {
  const lines = files().flatMap((path) => readFileSync(path, "latin1").split("\n"));
  return new Set(lines.filter((line) => isDigest(line)));
}
const noSpace = () => Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });

describe("the leases of a cache", () => {
  it.skipIf(process.platform !== "linux")("share one file and one descriptor", async () => {
    const before = descriptors();
    const leases: Lease[] = [];
    for (const digest of some(1200)) leases.push(await cache.lease([digest]));
    expect([files().length, descriptors() - before]).toEqual([1, 1]);
    for (const lease of leases) await lease.release();
    expect([files().length, descriptors() - before]).toEqual([0, 0]);
  });

  it("protect a mote until all leases of it are released", async () => {
    const [digest] = await putSome(1);
    if (digest === undefined) throw new Error("one was put");
    const [first, second] = [await cache.lease([digest, digest]), await cache.lease([])];
    await second.add(digest);
    await second.add(digest);
    await first.release();
    await first.release();
    expect(await leasedForOthers()).toEqual(new Set([digest]));
    await second.release();
    expect((await cache.prune(0)).reached).toBe(true);
  });

  it("are seen by other processes, and by older releases for at least as long", async () => {
    const digests = await putSome(12);
    const step = fc.record({ lease: fc.nat(4), digest: fc.nat(11), ends: fc.boolean() });
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const leases: (Lease | undefined)[] = [];
      const held: Set<Digest>[] = [];
      for (const { lease, digest, ends } of steps) {
        const wanted = digests[digest] as Digest;
        if (ends) {
          await leases[lease]?.release();
          leases[lease] = undefined;
          held[lease] = new Set();
        } else {
          leases[lease] ??= await cache.lease([]);
          await leases[lease].add(wanted);
          held[lease] = (held[lease] ?? new Set()).add(wanted);
        }
      }
      const all = new Set(held.flatMap((one) => [...(one ?? [])]));
      expect(await leasedForOthers()).toEqual(all);
      const older = leasedForOlderRelease();
      for (const digest of all) expect(older.has(digest)).toBe(true);
      for (const lease of leases) await lease?.release();
    });
    await fc.assert(property, { numRuns: 20 });
  });

  it("are compacted when most lines are released, and are valid meanwhile", async () => {
    const [kept] = await putSome(1);
    const lease = await cache.lease([kept as Digest]);
    await using other = new FileCache(root, { durability: "visible" });
    let largest = 0;
    for (const digest of some(2000)) {
      const brief = await cache.lease([digest]);
      await brief.release();
      largest = Math.max(largest, ...files().map((path) => statSync(path).size));
      expect(leasedForOlderRelease().has(kept as Digest)).toBe(true);
    }
    expect(largest).toBeLessThan(300 * 80);
    expect((await other.prune(0)).removed).toEqual([]);
    await lease.release();
    expect(files()).toEqual([]);
  });

  it("can be released on a full disk", async () => {
    const digests = await putSome(2);
    const leases = [await cache.lease(digests.slice(0, 1)), await cache.lease(digests.slice(1))];
    const { writeSync } = fs;
    vi.spyOn(fs, "writeSync").mockImplementation(((fd: number, bytes: Uint8Array | string, ...rest: never[]) => {
      if (typeof bytes !== "string") throw noSpace();
      return writeSync(fd, bytes, ...rest);
    }) as typeof fs.writeSync);
    await leases[0]?.release();
    vi.restoreAllMocks();
    expect(await leasedForOthers()).toEqual(new Set(digests.slice(1)));
    await leases[1]?.release();
  });

  it("that could not be written completely protect nothing", async () => {
    const digests = await putSome(3);
    const lease = await cache.lease(digests.slice(0, 1));
    const { writeSync } = fs;
    vi.spyOn(fs, "writeSync")
      .mockImplementationOnce(((fd: number, bytes: Uint8Array, from: number, _: number, position: number) =>
        writeSync(fd, bytes, from, 80, position)) as typeof fs.writeSync)
      .mockImplementationOnce(() => {
        throw noSpace();
      });
    await expect(cache.lease(digests.slice(1))).rejects.toMatchObject({ code: "MOTE_NO_SPACE" });
    expect(await leasedForOthers()).toEqual(new Set(digests.slice(0, 1)));
    await lease.release();
  });
});

describe("a lost lease", () => {
  it("is reported when it is renewed, and is valid again", async () => {
    const digests = await putSome(3);
    const [one, other] = [await cache.lease(digests.slice(0, 1)), await cache.lease(digests.slice(1, 2))];
    expect([await one.renew?.(), await one.renew?.()]).toEqual([true, true]);
    for (const path of files()) rmSync(path);
    expect([await one.renew?.(), await one.renew?.()]).toEqual([false, true]);
    expect(await other.renew?.()).toBe(false);
    const later = await cache.lease(digests.slice(2));
    expect(await later.renew?.()).toBe(true);
    expect(await leasedForOthers()).toEqual(new Set(digests));
    for (const lease of [one, other, later]) await lease.release();
    await expect(one.renew?.()).rejects.toMatchObject({ code: "MOTE_CLOSED" });
  });

  it.each(["clock", "steady clock"])("is noticed by a process whose %s shows that it was suspended", async (which) => {
    const lease = await cache.lease(some(1));
    const [wall, steady] = [Date.now(), performance.now()];
    if (which === "clock") vi.spyOn(Date, "now").mockImplementation(() => wall + hour);
    else vi.spyOn(performance, "now").mockImplementation(() => steady + hour);
    expect(await lease.renew?.()).toBe(false);
    expect(await lease.renew?.()).toBe(true);
    await lease.release();
  });
});

describe("a file in place of a lease", () => {
  const path = () => join(root, ".mote/leases/7-1-elsewhere-1.0");

  it("is not read completely if it is too large", async () => {
    await putSome(1);
    writeFileSync(path(), "");
    fs.truncateSync(path(), 2 ** 40);
    const allocations = vi.spyOn(Buffer, "alloc");
    expect((await cache.prune(0)).reached).toBe(true);
    expect(Math.max(0, ...allocations.mock.calls.map(([bytes]) => bytes))).toBeLessThan(2 ** 24);
  });

  it("is read to its end if it is a long lease", async () => {
    const digests = await putSome(3);
    const lines = digests.map((digest) => `${digest}\n`);
    writeFileSync(path(), `${lines[0]}${`-${digests[2]}\n`.repeat(40_000)}${lines[1]}`);
    const { removed } = await cache.prune(0);
    expect(removed.map(({ digest }) => digest)).toEqual(digests.slice(2));
  });
});

describe("a lease of another container", () => {
  const plant = (digest: Digest, ageMs: number) => {
    const path = join(root, ".mote/leases/7-1-elsewhere-1.0");
    writeFileSync(path, `\n${digest}\n`);
    const time = (Date.now() - ageMs) / 1000;
    utimesSync(path, time, time);
    return path;
  };

  it("is valid while it is renewed", async () => {
    const [digest] = await putSome(1);
    plant(digest as Digest, hour / 2);
    const { skipped } = await cache.prune(0);
    expect(skipped[0]?.holder).toBe("process 7 of another container or machine");
  });

  it("is removed by a prune that considers its process dead, before the motes that it protected", async () => {
    const [digest] = await putSome(1);
    const path = plant(digest as Digest, 2 * hour);
    const { unlinkSync } = fs;
    let wasThere: boolean | undefined;
    vi.spyOn(fs, "unlinkSync").mockImplementation((each) => {
      if (String(each).includes("/blobs/")) wasThere ??= fs.existsSync(path);
      unlinkSync(each);
    });
    expect((await cache.prune(0)).reached).toBe(true);
    expect(wasThere).toBe(false);
  });

  it("expires even if its clock is ahead", async () => {
    const [digest] = await putSome(1);
    const path = plant(digest as Digest, -15 * 365 * 24 * hour);
    expect((await cache.prune(0)).reached).toBe(false);
    expect(Math.abs(statSync(path).mtimeMs - Date.now())).toBeLessThan(hour / 2);
    const later = Date.now() + 2 * hour;
    vi.spyOn(Date, "now").mockReturnValue(later);
    expect((await cache.prune(0)).reached).toBe(true);
  });

  it("expires if its clock is ahead and its time cannot be set", async () => {
    const [digest] = await putSome(1);
    plant(digest as Digest, -15 * 365 * 24 * hour);
    vi.spyOn(fs, "lutimesSync").mockImplementation(() => {
      throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    });
    expect((await cache.prune(0)).reached).toBe(true);
  });
});

describe("removing a mote", () => {
  it("fails for a leased mote with unlessLeased, and the error names the process", async () => {
    const [leased, free] = await putSome(2);
    const lease = await cache.lease([leased as Digest]);
    await using other = new FileCache(root, { durability: "visible" });
    const removing = other.removeMote(leased as Digest, { unlessLeased: true });
    await expect(removing).rejects.toMatchObject({
      code: "MOTE_IN_USE",
      details: { holder: `process ${process.pid}` },
    });
    await other.removeMote(free as Digest, { unlessLeased: true });
    await other.removeMote(free as Digest, { unlessLeased: true });
    expect([await cache.moteExists(leased as Digest), await cache.moteExists(free as Digest)]).toEqual([true, false]);
    await lease.release();
    await other.removeMote(leased as Digest, { unlessLeased: true });
    expect(await cache.moteExists(leased as Digest)).toBe(false);
    expect(readdirSync(join(root, ".mote/pruning"))).toEqual([]);
  });

  it("succeeds for a leased mote otherwise", async () => {
    const [digest] = await putSome(1);
    await using _ = await cache.lease([digest as Digest]);
    await cache.removeMote(digest as Digest);
    expect(await cache.moteExists(digest as Digest)).toBe(false);
  });
});
