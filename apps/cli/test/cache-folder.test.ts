import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

let dir: string;
const places: Record<string, () => string> = {
  "a file": () => join(dir, "file"),
  "a pipe": () => join(dir, "pipe"),
  "a device": () => "/dev/null",
  "a symbolic link that leads nowhere": () => join(dir, "dangling"),
  "a symbolic link to a file": () => join(dir, "link"),
  "a path below a file": () => join(dir, "file", "a", "b"),
  "a path below a symbolic link that leads nowhere": () => join(dir, "dangling", "a"),
};
const digest = `sha256:${"0".repeat(64)}`;
const commands = [
  ["ls"],
  ["du"],
  ["info", digest],
  ["cat", digest],
  ["rm", digest],
  ["pin", digest],
  ["unpin", digest],
  ["locate", digest],
  ["verify"],
  ["verify", "--repair"],
  ["prune", "--max-size", "1GB"],
  ["prune", "--max-size", "1GB", "--dry-run"],
  ["doctor"],
  ["config"],
  ["config", "cache"],
  ["serve", "--port", "0"],
  ["bic", "stats"],
  ["bic", "export"],
  ["pull", "127.0.0.1:1/a/b:1"],
  ["pull", "127.0.0.1:1/a/b:1", "oci:out:1"],
  ["copy", "oci:none:1", "oci:out:1"],
];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-place-"));
  await writeFile(join(dir, "file"), "mine");
  execFileSync("mkfifo", [join(dir, "pipe")]);
  await symlink(join(dir, "nowhere"), join(dir, "dangling"));
  await symlink(join(dir, "file"), join(dir, "link"));
});
afterAll(() => rm(dir, { recursive: true }));

describe("a cache path that is not a directory is an error in every command", () => {
  for (const [name, place] of Object.entries(places)) {
    it(name, async () => {
      for (const how of ["option", "variable"] as const) {
        for (const command of how === "option" ? commands : commands.slice(0, 2)) {
          const args = how === "option" ? ["--cache", place()] : [];
          const env = how === "option" ? {} : { MOTE_CACHE_DIR: place() };
          const ended = await runMote([...command, ...args, "--json"], { env });
          const code =
            command[0] === "doctor"
              ? JSON.parse(ended.stdout).findings.find(({ topic }: { topic: string }) => topic === "folder").state
              : JSON.parse(ended.stderr).error.code;
          expect([command, ended.status, code]).toEqual([
            command,
            1,
            command[0] === "doctor" ? "fail" : "MOTE_UNWRITABLE",
          ]);
        }
      }
      expect((await readdir(dir)).sort()).toEqual(["dangling", "file", "link", "pipe"]);
      expect(await readFile(join(dir, "file"), "utf8")).toBe("mine");
    });
  }

  it("with a description of the file", async () => {
    const messageOf = async (place: string) =>
      JSON.parse((await runMote(["ls", "--json", "--cache", join(dir, place)])).stderr).error.message;
    expect(await messageOf("dangling")).toContain("is a dangling symbolic link");
    expect(await messageOf("link")).toContain("is a symbolic link to something other than a directory");
    expect(await messageOf("file")).toContain("is not a directory");
  });

  it("but not a symbolic link to a directory, nor a path that does not exist yet", async () => {
    await mkdir(join(dir, "real"));
    await symlink(join(dir, "real"), join(dir, "to-real"));
    for (const cache of ["to-real", "not/there/yet"]) {
      expect((await runMote(["ls", "--json", "--cache", join(dir, cache)])).status).toBe(0);
      expect((await runMote(["config", "--json", "--cache", join(dir, cache)])).status).toBe(0);
    }
    expect((await readdir(dir)).includes("not")).toBe(false);
  });
});
