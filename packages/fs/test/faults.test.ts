import fs, { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestBytes, readMote } from "@mote/core";
import { describe, expect, it, vi } from "vitest";
import { FileCache } from "../src/index.js";
import { cache, errno, failSync, failure, folder, large, mediaType, root, small } from "./failing-calls.js";
import { put } from "./image.js";

/** Fails the next calls of a function with a callback. */
function failAsync(method: "write" | "fdatasync" | "read", name: string) {
  return vi.spyOn(fs, method).mockImplementation((...args: unknown[]) => {
    const done = args.at(-1);
    if (typeof done === "function") process.nextTick(() => done(errno(name)));
  });
}

async function expectUsable(): Promise<void> {
  vi.restoreAllMocks();
  for (const bytes of [small, large]) {
    await put(cache, bytes, mediaType);
    expect(Buffer.compare(await readMote(cache, digestBytes(bytes), { maxBytes: 2_000_000 }), bytes)).toBe(0);
  }
  await cache.prune(Number.POSITIVE_INFINITY);
  // Files of this process are not cleaned up until it ends, so this shows that nothing was left behind.
  expect(readdirSync(join(root, ".mote/ingest"))).toEqual([]);
}

describe("a damaged blob file", () => {
  for (const durability of ["visible", "grouped", "synced"] as const) {
    it(`is quarantined by a check, and does not block a writer (${durability})`, async () => {
      await using other = new FileCache(root, { durability });
      for (const bytes of [small, large]) {
        const digest = digestBytes(bytes);
        await put(other, bytes, mediaType);
        expect(await other.verifyMote(digest)).toBe(true);
        writeFileSync(join(folder, "copy"), bytes);
        fs.renameSync(join(folder, "copy"), other.moteRef(digest));
        expect(await other.verifyMote(digest)).toBe(true);
        writeFileSync(
          join(folder, "copy"),
          bytes.map((byte) => byte + 1),
        );
        fs.renameSync(join(folder, "copy"), other.moteRef(digest));
        expect([await other.verifyMote(digest), existsSync(other.moteRef(digest))]).toEqual([false, false]);
        mkdirSync(join(other.moteRef(digest), "in the way"), { recursive: true });
        expect(await other.verifyMote(digest)).toBe(false);
        await put(other, bytes, mediaType);
        expect(await other.verifyMote(digest)).toBe(true);
      }
      expect(readdirSync(join(root, ".mote/quarantine"))).toHaveLength(4);
    });
  }
});

describe("an error of the file system is reported with its code, leaves nothing, and the cache works afterwards", () => {
  for (const [name, expected] of [
    ["ENOSPC", "MOTE_NO_SPACE"],
    ["EDQUOT", "MOTE_NO_SPACE"],
    ["EIO", "MOTE_IO"],
  ] as const) {
    it(`${name} while writing`, async () => {
      failSync("writeSync", name);
      failAsync("write", name);
      expect(await failure(put(cache, small, mediaType))).toBe(expected);
      expect(await failure(put(cache, large, mediaType))).toBe(expected);
      expect(await cache.moteExists(digestBytes(large))).toBe(false);
      await expectUsable();
    });

    it(`${name} while syncing`, async () => {
      failAsync("fdatasync", name);
      expect(await failure(put(cache, small, mediaType))).toBe(expected);
      expect(await failure(put(cache, large, mediaType))).toBe(expected);
      expect(await cache.moteExists(digestBytes(small))).toBe(false);
      await expectUsable();
    });
  }

  for (const [name, expected] of [
    ["EMFILE", "MOTE_IO"],
    ["EACCES", "MOTE_UNWRITABLE"],
    ["EROFS", "MOTE_UNWRITABLE"],
  ] as const) {
    it(`${name} while opening to write`, async () => {
      failSync("openSync", name);
      expect(await failure(put(cache, small, mediaType))).toBe(expected);
      expect(await failure(put(cache, large, mediaType))).toBe(expected);
      await expectUsable();
    });
  }

  it("EIO while renaming", async () => {
    failSync("renameSync", "EIO");
    expect(await failure(put(cache, small, mediaType))).toBe("MOTE_IO");
    expect(await failure(put(cache, large, mediaType))).toBe("MOTE_IO");
    await expectUsable();
  });

  it("EMFILE while opening to read is not a miss", async () => {
    await put(cache, small, mediaType);
    failSync("openSync", "EMFILE");
    expect(await failure(cache.moteReader(digestBytes(small)))).toBe("MOTE_IO");
    await expectUsable();
  });

  it("EIO in a look-up is not a miss", async () => {
    failSync("lstatSync", "EIO");
    expect(await failure(cache.moteExists(digestBytes(small)))).toBe("MOTE_IO");
    expect(await failure(cache.find(digestBytes(small)))).toBe("MOTE_IO");
    await expectUsable();
  });

  it("EIO while reading is not corruption", async () => {
    await put(cache, large, mediaType);
    failAsync("read", "EIO");
    expect(await failure(readMote(cache, digestBytes(large), { maxBytes: 2_000_000 }))).toBe("MOTE_IO");
    await expectUsable();
  });

  it("prune skips blobs that it cannot remove, and removes others instead", async () => {
    const first = digestBytes(small);
    await put(cache, small, mediaType);
    await put(cache, large, mediaType);
    const unlinkSync = fs.unlinkSync;
    vi.spyOn(fs, "unlinkSync").mockImplementation((path) => {
      if (String(path).endsWith(first.replace(":", "/"))) throw errno("EPERM");
      unlinkSync(path);
    });
    const report = await cache.prune(1000);
    expect(report.reached).toBe(true);
    const nothingLeft = await cache.prune(0);
    expect(nothingLeft.skipped).toEqual([{ digest: first, size: 1000, reason: "MOTE_UNWRITABLE" }]);
    expect(nothingLeft.reached).toBe(false);
    await expectUsable();
  });
});

describe("a file that is moved into the cache", () => {
  for (const method of ["fdatasync", "futimesSync", "renameSync", "lstatSync"] as const) {
    it(`is unchanged after an error of ${method}`, async () => {
      const source = join(folder, "source");
      writeFileSync(source, large, { mode: 0o640 });
      const mote = { digest: digestBytes(large), mediaType };
      const original = fs[method];
      let failed = false;
      // The earlier calls concern the source.
      const isOurs = (args: readonly unknown[]) =>
        method === "fdatasync" || method === "futimesSync" || args.some((arg) => String(arg).includes("/blobs/"));
      vi.spyOn(fs, method as "fdatasync").mockImplementation((...args: unknown[]) => {
        if (failed || !isOurs(args)) return Reflect.apply(original, fs, args);
        failed = true;
        const done = args.at(-1);
        if (typeof done !== "function") throw errno("EIO");
        process.nextTick(() => done(errno("EIO")));
      });
      expect(await failure(cache.commitMote(source, mote, "move"))).toBe("MOTE_IO");
      expect(failed).toBe(true);
      expect(readFileSync(source).equals(large)).toBe(true);
      expect(statSync(source).mode & 0o777).toBe(0o640);
      await expectUsable();
    });
  }
});
// Mounting needs a mount namespace: root, or a kernel that allows users to create one.
