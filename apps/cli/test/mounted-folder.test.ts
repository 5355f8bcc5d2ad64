import { spawnSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mainFile, run, runMote } from "./run-mote.js";

const canMount = spawnSync("unshare", ["--mount", "true"]).status === 0;
const needs = canMount ? "" : " (skipped: run as root on Linux, where something can be mounted)";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-mounted-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe.skipIf(!canMount)(`a destination directory that contains another file system${needs}`, () => {
  it("gets its complete content, and nothing else remains", async () => {
    const [cache, origin, volume, out] = ["cache", "origin", "volume", "out"].map((name) => join(dir, name));
    if (!cache || !origin || !volume || !out) throw new Error("no paths");
    await mkdir(join(origin, "data/deep"), { recursive: true });
    await mkdir(volume);
    await mkdir(join(out, "data"), { recursive: true });
    await writeFile(join(origin, "data/model.bin"), "weights", { mode: 0o755 });
    await writeFile(join(origin, "data/deep/notes.md"), "notes");
    await symlink("model.bin", join(origin, "data/latest"));
    const pushed = await runMote(["push", "data", `oci:${join(dir, "layout")}:1`, "--cache", cache], { cwd: origin });
    expect(pushed).toMatchObject({ status: 0 });

    const mounting = `mount --bind ${volume} ${out}/data && exec "$@"`;
    const command = [process.execPath, mainFile, "pull", `oci:${join(dir, "layout")}:1`, out, "--cache", cache];
    for (let time = 0; time < 2; time++) {
      const ended = await run("unshare", ["--mount", "sh", "-c", mounting, "sh", ...command]);
      expect(ended).toMatchObject({ status: 0 });
    }
    expect((await readdir(volume)).sort()).toEqual(["deep", "latest", "model.bin"]);
    expect(await readFile(join(volume, "latest"), "utf8")).toBe("weights");
    expect((await lstat(join(volume, "latest"))).isSymbolicLink()).toBe(true);
    expect((await lstat(join(volume, "model.bin"))).mode & 0o777).toBe(0o755);
    expect(await readdir(join(volume, "deep"))).toEqual(["notes.md"]);
    expect(await readdir(out)).toEqual(["data"]);
  });
});
