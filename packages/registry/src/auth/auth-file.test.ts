import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf } from "../../test/outcome.js";
import { changeAuthFile, readAuthFile } from "./auth-file.js";
import { dockerCredentials } from "./docker-credentials.js";
import { eraseCredentials, saveCredentials } from "./stored-credentials.js";

const login = (name: string) => ({ kind: "password", username: name, password: "p" }) as const;

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-auth-file-"));
  file = join(folder, "config.json");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const add = (name: string) => (there: { readonly content: object } | undefined) => ({
  ...there?.content,
  [name]: true,
});

describe("concurrent logins and logouts", () => {
  it("do not lose entries", async () => {
    const registries = Array.from({ length: 24 }, (_, at) => `r${at}.example`);
    const gone = registries.slice(0, 8);
    const paths = [file];
    for (const registry of gone) await saveCredentials(registry, login(registry), { paths });
    await Promise.all([
      ...registries.slice(8).map((registry) => saveCredentials(registry, login(registry), { paths })),
      ...gone.map((registry) => eraseCredentials(registry, { paths })),
    ]);
    const source = dockerCredentials({ paths });
    for (const registry of registries) {
      expect(await source.get(registry)).toEqual(gone.includes(registry) ? undefined : login(registry));
    }
    expect(await readdir(folder)).toEqual(["config.json"]);
  });

  it("are repeated if the lock was lost between reading and writing", async () => {
    let calls = 0;
    await changeAuthFile(file, (there) => {
      calls++;
      // Another process considers the lock abandoned, and writes.
      if (calls === 1) execFileSync("sh", ["-c", `rm '${file}.lock'; printf '{"other":true}' > '${file}'`]);
      return add("mine")(there);
    });
    expect(calls).toBe(2);
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ other: true, mine: true });
  });

  it.each(["a file", "a link"])("take over a lock that has not changed for five seconds: %s", async (kind) => {
    const bait = join(folder, "bait");
    if (kind === "a link") await symlink(bait, `${file}.lock`);
    else await writeFile(`${file}.lock`, "");
    await changeAuthFile(file, add("a"));
    expect(await readdir(folder)).toEqual(["config.json"]);
  });
});

describe("the file of credentials", () => {
  it.each([0o000, 0o777])("is private to its owner under umask %o", async (mask) => {
    const before = process.umask(mask);
    try {
      await changeAuthFile(file, add("a"));
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("stays a symbolic link if it is one, dangling or not", async () => {
    await mkdir(join(folder, "dotfiles"));
    await symlink("dotfiles/hop", file);
    await symlink("real.json", join(folder, "dotfiles/hop"));
    for (const name of ["a", "b"]) await changeAuthFile(file, add(name));
    expect(await readlink(file)).toBe("dotfiles/hop");
    expect(JSON.parse(await readFile(join(folder, "dotfiles/real.json"), "utf8"))).toEqual({ a: true, b: true });
    expect((await readdir(join(folder, "dotfiles"))).sort()).toEqual(["hop", "real.json"]);
  });

  it("that is a FIFO, a directory or a circle of links is rejected at once and not changed", async () => {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    await mkdir(join(folder, "directory"));
    await symlink("circle", join(folder, "circle"));
    await symlink("fifo", join(folder, "to-fifo"));
    for (const name of ["fifo", "directory", "circle", "to-fifo"]) {
      const path = join(folder, name);
      const { ino } = await lstat(path);
      expect([name, await codeOf(readAuthFile(path))]).toEqual([name, "MOTE_CONFIG"]);
      expect([name, await codeOf(changeAuthFile(path, add("a")))]).toEqual([name, "MOTE_CONFIG"]);
      expect((await lstat(path)).ino).toBe(ino);
    }
  });
});
