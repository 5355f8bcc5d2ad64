import { spawnSync } from "node:child_process";
import { appendFileSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { LmdbBlobInfoCache } from "../src/index.js";
import { useInChild } from "./child.js";
import { digestOf, writeSeed } from "./seed.js";

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
const mount = mkdtempSync(join(folder, "mount-"));
const canMount = spawnSync("mount", ["-t", "tmpfs", "tmpfs", mount]).status === 0;
if (canMount) spawnSync("umount", [mount]);
const needs = canMount ? "" : " (skipped: run as root on Linux, where a file system can be mounted)";

afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!canMount)(`a disk that cannot be written${needs}`, () => {
  beforeEach(() => void spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]));
  afterEach(() => void spawnSync("umount", [mount]));

  it("mounted read-only: look-ups work, and records are rejected with a code", async () => {
    await writeSeed(join(mount, "bic.lmdb"));
    spawnSync("mount", ["-o", "remount,ro", mount]);
    expect(await useInChild(join(mount, "bic.lmdb"), "own", 1)).toMatchObject({
      known: 200,
      recorded: 0,
      codes: ["MOTE_UNWRITABLE"],
      mode: "read-only",
      warnings: [{}],
    });
  });

  it("mounted read-only, without a file: facts are stored in memory", async () => {
    spawnSync("mount", ["-o", "remount,ro", mount]);
    for (const path of ["bic.lmdb", "deeper/bic.lmdb"]) {
      expect(await useInChild(join(mount, path))).toMatchObject({ recorded: 20, mode: "memory", warnings: [{}] });
    }
  });

  it("full: records are rejected with a code, look-ups work, and records work again after space was freed", async () => {
    const path = join(mount, "bic.lmdb");
    await writeSeed(path);
    await using cache = new LmdbBlobInfoCache(path);
    await cache.open();
    fillDisk();
    expect(await useInChild(path, "own", 3)).toMatchObject({
      known: 200,
      recorded: 0,
      codes: ["MOTE_NO_SPACE", "MOTE_NO_SPACE", "MOTE_NO_SPACE"],
      mode: "persistent",
    });
    await expect(cache.recordKnownLocation("t", "s", digestOf("new"), "here")).rejects.toMatchObject({
      code: "MOTE_NO_SPACE",
    });
    rmSync(join(mount, "fill"));
    await cache.recordKnownLocation("t", "s", digestOf("new"), "here");
  });

  it("full during records: each is stored or rejected, and the file stays valid", async () => {
    const path = join(mount, "bic.lmdb");
    await using cache = new LmdbBlobInfoCache(path);
    const records = Array.from({ length: 20_000 }, (_, i) =>
      cache.recordKnownLocation("t", "s", digestOf(i), `location of ${i}`).then(
        () => "recorded",
        (error) => error.code,
      ),
    );
    const outcomes = await Promise.all(records);
    expect(new Set(outcomes)).toEqual(new Set(["recorded", "MOTE_NO_SPACE"]));
    const kept = outcomes.filter((outcome) => outcome === "recorded").length;
    expect((await cache.statistics()).locations).toBe(kept);
    copyFileSync(path, join(folder, "copy.lmdb"));
    expect(await useInChild(join(folder, "copy.lmdb"))).toMatchObject({ known: 200, recorded: 20, warnings: [] });
  });

  it("full, without a file: facts are stored in memory, and no partial file is left", async () => {
    fillDisk();
    expect(await useInChild(join(mount, "bic.lmdb"))).toMatchObject({ recorded: 20, mode: "memory", warnings: [{}] });
    expect(readdirSync(mount)).toEqual(["fill"]);
  });
});

function fillDisk(): void {
  for (const size of [65_536, 4_096, 1]) {
    try {
      for (;;) appendFileSync(join(mount, "fill"), new Uint8Array(size));
    } catch {
      // The disk has no space for a chunk of this size.
    }
  }
}
