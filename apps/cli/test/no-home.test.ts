import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Ended, mainFile, run, runMote } from "./run-mote.js";

// A user id that is not in the user database, as in containers of OpenShift.
const uid = 1_000_660_000;
const folder = mkdtempSync(join(tmpdir(), "mote-no-home-"));
chmodSync(folder, 0o777);
// A copy, because Node may be installed in a directory that only its owner can read.
const node = join(folder, "node");
copyFileSync(process.execPath, node);
const canRun =
  process.getuid?.() === 0 && spawnSync(node, [mainFile, "--version"], { uid, gid: 0, env: {} }).status === 0;
const needs = canRun ? "" : " (skipped: run as root, in a folder that every user may enter)";
afterAll(() => rm(folder, { recursive: true, force: true }));

const homes = { unset: {}, empty: { HOME: "" }, relative: { HOME: "relative/home" }, "the root": { HOME: "/" } };

function asUnknownUser(args: readonly string[], env: NodeJS.ProcessEnv, input = ""): Promise<Ended> {
  return run(node, [mainFile, ...args], {
    env: { PATH: process.env.PATH, ...env },
    onlyEnv: true,
    uid,
    cwd: folder,
    input,
  });
}

function codeOf({ stderr }: Ended): unknown {
  return JSON.parse(stderr.trim().split("\n").at(-1) ?? "").error.code;
}

describe.skipIf(!canRun).each(Object.entries(homes))(
  `a user that the system does not know, HOME %s${needs}`,
  (name, env) => {
    it("works with an explicit cache directory", async () => {
      const cache = { ...env, MOTE_CACHE_DIR: join(folder, `cache of ${name}`) };
      const added = await asUnknownUser(["add", "--quiet", node], cache);
      expect([added.status, added.stderr]).toEqual([0, ""]);
      expect(await asUnknownUser(["ls"], cache)).toMatchObject({ status: 0, stderr: "" });
      expect(await readdir(folder)).not.toContain("relative");
    });

    it("is told what to do without a cache directory, and never sees a stack trace", async () => {
      for (const args of [["ls"], ["du"], ["add", node], ["pull", "127.0.0.1:1/a:1"], ["verify"], ["bic", "stats"]]) {
        const ended = await asUnknownUser(args, env);
        const isEmptyList = name === "the root" && ["ls", "du", "verify", "bic"].includes(args[0] ?? "");
        if (isEmptyList && ended.status === 0) continue;
        expect([args, ended.status]).toEqual([args, 1]);
        expect(ended.stderr).toMatch(/^mote: .*--cache/);
        expect(ended.stderr).not.toMatch(/\n\s+at /);
      }
    });

    it("can use commands that need no cache directory", async () => {
      for (const args of [
        ["ref", "alpine"],
        ["config"],
        ["config", "cache"],
        ["completion", "bash"],
        ["logout", "r.example"],
        ["--help"],
      ]) {
        const ended = await asUnknownUser(args, env);
        expect([args, ended.status, ended.stderr]).toEqual([args, 0, ""]);
      }
      const doctor = await asUnknownUser(["doctor"], env);
      expect([doctor.status, doctor.stderr]).toEqual([1, ""]);
      expect(doctor.stdout).toContain("--cache");
    });

    it("copies images to a destination without a cache, with a warning", async () => {
      const source = join(folder, `source of ${name}`);
      // With --quiet, because a slow machine would report progress.
      const pushed = await asUnknownUser(
        ["push", node, `oci:${source}:1`, "--quiet", "--cache", join(folder, "c")],
        env,
      );
      expect([pushed.status, pushed.stderr]).toEqual([0, ""]);
      const copied = await asUnknownUser(["copy", `oci:${source}:1`, `oci:${join(folder, `copy of ${name}`)}:1`], env);
      expect(copied.status).toBe(0);
      expect(copied.stderr).toContain("without a cache");
    });

    it.skipIf(name === "the root")("is told that ~ and a login need a home directory", async () => {
      expect(codeOf(await asUnknownUser(["copy", "oci:~/x:1", "oci:y:1", "--json"], env))).toBe(
        "MOTE_INVALID_REFERENCE",
      );
      expect(codeOf(await asUnknownUser(["ref", "oci:~/x:1", "--json"], env))).toBe("MOTE_INVALID_REFERENCE");
      const cache = await asUnknownUser(["ls", "--json"], { ...env, MOTE_CACHE_DIR: "~/cache" });
      expect(codeOf(cache)).toBe("MOTE_CONFIG");
    });
  },
);

it("absolute XDG_CACHE_HOME and XDG_CONFIG_HOME are used", async () => {
  const config = async (env: NodeJS.ProcessEnv) => {
    const { stdout } = await runMote(["config", "--json"], { env: { HOME: join(folder, "h"), ...env } });
    const { settings, files } = JSON.parse(stdout);
    const cache = settings.find(({ key }: { key: string }) => key === "cache").value;
    return [cache, files.at(-1).path];
  };
  const usual = [join(folder, "h/.cache/mote"), join(folder, "h/.config/mote/config.json")];
  expect(await config({})).toEqual(usual);
  expect(await config({ XDG_CACHE_HOME: "cache", XDG_CONFIG_HOME: "./config" })).toEqual(usual);
  const named = { XDG_CACHE_HOME: join(folder, "c"), XDG_CONFIG_HOME: join(folder, "d") };
  expect(await config(named)).toEqual([join(folder, "c/mote"), join(folder, "d/mote/config.json")]);
});
