import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("user.mjs", import.meta.url));
const group = 54_321;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-users-"));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

const as = (user: number) => ["setpriv", `--reuid=${user}`, `--regid=${user}`, `--groups=${group}`, "--"];
// Running as another user needs root, and sources that other users may read.
const canBeOthers = spawnSync("setpriv", [...as(54_001).slice(1), "test", "-r", script]).status === 0;
const run = (user: number | undefined, root: string, ofGroup: number | "none", name: string, umask: string) =>
  JSON.parse(
    execFileSync(
      "/usr/bin/env",
      [...(user === undefined ? [] : as(user)), process.execPath, script, root, String(ofGroup), name],
      {
        encoding: "utf8",
        env: { ...process.env, UMASK: umask, HOME: folder },
      },
    ),
  );

function* everything(path: string): Generator<string> {
  yield path;
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) yield* everything(join(path, name));
}
const modes = (root: string, bits: number) =>
  [...everything(root)].filter((path) => lstatSync(path).mode & bits).map((path) => relative(root, path));

it("nothing is writable by others, or by a group unless requested, with any umask", () => {
  for (const [umask, ofGroup, forbidden] of [
    ["000", "none", 0o022],
    ["077", "none", 0o022],
    ["000", process.getgid?.() ?? 0, 0o002],
  ] as const) {
    const root = join(folder, `above-${umask}-${ofGroup}`, "cache");
    const outcome = run(undefined, root, ofGroup, "a", umask);
    expect([...new Set(Object.values(outcome))]).toEqual(["done"]);
    expect(modes(root, forbidden)).toEqual([]);
    expect(lstatSync(join(root, "..")).mode & forbidden).toBe(0);
  }
});

describe.skipIf(!canBeOthers)(
  `several users${canBeOthers ? "" : " (skipped: needs setpriv of util-linux, and to be root)"}`,
  () => {
    it("of one group share a cache with any umask, and others cannot write to it", () => {
      for (const umask of ["077", "022", "000"]) {
        const root = join(folder, `for-${umask}`, "cache");
        mkdirSync(join(root, ".."));
        chmodSync(join(root, ".."), 0o777);
        for (const [user, name] of [
          [54_001, "a"],
          [54_002, "b"],
          [54_001, "c"],
        ] as const) {
          const outcome = run(user, root, group, name, umask);
          expect([umask, name, outcome]).toEqual([
            umask,
            name,
            Object.fromEntries(Object.keys(outcome).map((job) => [job, "done"])),
          ]);
        }
        expect(modes(root, 0o002)).toEqual([]);
      }
    });

    it("outside of the group can read the owner's cache, and cannot change it", () => {
      const root = join(folder, "cache");
      chmodSync(folder, 0o777);
      run(54_001, root, "none", "a", "022");
      const before = [...everything(root)];
      const outcome = run(54_002, root, "none", "b", "022");
      expect(outcome).toMatchObject({
        initialize: "done",
        put: "MOTE_UNWRITABLE",
        "read of all": "done",
        "read of parts": "done",
        link: "done",
        verify: "done",
        prune: "MOTE_UNWRITABLE",
      });
      expect([...everything(root)]).toEqual(before);
    });
  },
);
