import { execFileSync, spawnSync } from "node:child_process";
import fs, { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestBytes, readMote } from "@mote/core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { FileCache } from "../src/index.js";
import { cache, errno, failSync, failure, folder, large, mediaType, root, small } from "./failing-calls.js";
import { put } from "./image.js";

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

describe("a link that cannot be created", () => {
  for (const name of ["EMLINK", "EXDEV", "ENOTSUP", "EPERM"]) {
    it(`(${name}) becomes a copy`, async () => {
      await put(cache, small, mediaType);
      failSync("linkSync", name);
      const target = join(folder, "target");
      expect(await cache.linkTo(digestBytes(small), target)).toBe(true);
      expect(readFileSync(target)).toEqual(Buffer.from(small));
      expect(statSync(target).nlink).toBe(1);
    });
  }

  it("(EXDEV) on a move becomes a copy that removes the source", async () => {
    const source = join(folder, "source");
    writeFileSync(source, large);
    const renameSync = fs.renameSync;
    vi.spyOn(fs, "renameSync").mockImplementation((from, to) => {
      if (from === source) throw errno("EXDEV");
      renameSync(from, to);
    });
    await cache.commitMote(source, { digest: digestBytes(large), mediaType }, "move");
    expect(await cache.moteExists(digestBytes(large))).toBe(true);
    expect(existsSync(source)).toBe(false);
  });

  it("(no space) is an error, and the target does not exist", async () => {
    await put(cache, small, mediaType);
    vi.spyOn(fs.promises, "copyFile").mockRejectedValue(errno("ENOSPC"));
    expect(await failure(cache.linkTo(digestBytes(small), join(folder, "target")))).toBe("MOTE_NO_SPACE");
    expect(existsSync(join(folder, "target"))).toBe(false);
  });
});

it("a clock that jumps back does not lose anything", async () => {
  await put(cache, small, mediaType);
  vi.spyOn(Date, "now").mockReturnValue(1000);
  await put(cache, large, mediaType);
  expect(await failure(readMote(cache, digestBytes(small), { maxBytes: 2000 }))).toBe("none");
  expect((await cache.prune(1_001_000)).removed).toEqual([]);
  expect((await cache.prune(1_000_500)).reached).toBe(true);
  await expectUsable();
});

// Mounting needs a mount namespace: root, or a kernel that allows users to create one.
const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;
const script = fileURLToPath(new URL("mounted.mjs", import.meta.url));
const mounted = (setup: string, job: string) =>
  JSON.parse(
    execFileSync(
      "unshare",
      ["-rm", "sh", "-ec", `${setup}; exec "$0" "$1" "$2" "$3"`, process.execPath, script, root, job],
      {
        encoding: "utf8",
      },
    ),
  );

describe.skipIf(!canMount)(
  `on a mounted file system${canMount ? "" : " (skipped: needs unshare of util-linux, and to be root)"}`,
  () => {
    it("a full disk is MOTE_NO_SPACE, and its space is freed", () => {
      mkdirSync(root, { recursive: true });
      expect(mounted(`mount -t tmpfs -o size=4m none "${root}"`, "full")).toEqual({
        large: "MOTE_NO_SPACE",
        parts: [],
        small: "none",
      });
    });

    it("a completely full disk can be pruned", () => {
      mkdirSync(root, { recursive: true });
      expect(mounted(`mount -t tmpfs -o size=4m none "${root}"`, "full prune")).toEqual({
        full: "MOTE_NO_SPACE",
        reached: true,
        untagged: ["name"],
        view: [],
        small: "none",
      });
    });

    it("a read-only directory is read, and not written", async () => {
      await put(cache, small, mediaType);
      await put(cache, large, mediaType);
      expect(mounted(`mount --bind "${root}" "${root}"; mount -o remount,ro,bind "${root}"`, "read-only")).toEqual({
        initialize: "none",
        read: "none",
        linkTo: "none",
        write: "MOTE_UNWRITABLE",
        tag: "MOTE_UNWRITABLE",
        prune: "MOTE_UNWRITABLE",
        dryRun: "none",
        verify: "none",
        part: "none",
      });
    });
  },
);

describe("a directory that is removed while the cache is open", () => {
  let cache: FileCache;
  beforeEach(() => {
    cache = new FileCache(root, { durability: "visible" });
  });
  const gone = [
    "",
    ".mote",
    "blobs",
    "blobs/sha256",
    ...["ingest", "tags", "leases", "pins", "manifests", "pruning", "chunks", "leads", "quarantine"].map(
      (name) => `.mote/${name}`,
    ),
  ];
  const digest = digestBytes(large);
  const descriptor = { mediaType, digest, size: large.byteLength };
  const jobs: Record<string, () => Promise<unknown>> = {
    put: () => put(cache, large, mediaType),
    "put of a manifest": () => put(cache, small, "application/vnd.oci.image.manifest.v1+json"),
    move: async () => {
      writeFileSync(join(folder, "source"), large);
      await cache.commitMote(join(folder, "source"), descriptor, "move");
    },
    lead: async () => {
      const writer = await cache.leadMote(descriptor);
      await writer?.write(large);
      await writer?.close();
    },
    tag: () => cache.tags.tag("name", descriptor),
    untag: () => cache.tags.untag("name"),
    pin: () => cache.pinned.pin(digest),
    lease: async () => await (await cache.lease([digest])).release(),
    prune: () => cache.prune(0),
    verify: () => cache.verify(),
    remove: () => cache.removeMote(digest),
    initialize: () => cache.initialize(),
  };
  for (const place of gone) {
    it(`(${place || "all of it"}) is created again when it is needed`, async () => {
      for (const [name, job] of Object.entries(jobs)) {
        await put(cache, large, mediaType);
        rmSync(join(root, place), { recursive: true, force: true });
        expect([name, await failure(job())]).toEqual([name, "none"]);
        await expectUsable();
      }
    });
  }

  it("does not lose bytes of a blob that is being written", async () => {
    for (const bytes of [small, large]) {
      await cache.createMote(digestBytes(bytes), mediaType);
      await using writer = await cache.moteWriter(digestBytes(bytes));
      await writer.write(bytes.subarray(0, 500));
      rmSync(root, { recursive: true });
      await writer.write(bytes.subarray(500));
      await writer.close();
      await expectUsable();
    }
  });
});
