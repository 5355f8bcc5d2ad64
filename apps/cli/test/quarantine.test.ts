import { appendFile, chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mainFile, run, runMote } from "./run-mote.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-aside-"));
});
afterAll(() => rm(dir, { recursive: true }));

it("quarantined files are counted by du, reported by verify and doctor, and removed by prune", async () => {
  const cache = join(dir, "cache");
  const json = async (...args: string[]) => JSON.parse((await runMote([...args, "--cache", cache, "--json"])).stdout);
  await writeFile(join(dir, "file"), "0123456789");
  const [{ digest }] = await json("add", join(dir, "file"));
  const path = join(cache, "blobs", digest.replace(":", "/"));
  await chmod(path, 0o644);
  await appendFile(path, "rot");
  const quarantined = { files: 1, bytes: 13 };
  expect(await json("verify")).toMatchObject({ damaged: [{ digest }], quarantined });
  expect(await json("du")).toMatchObject({ bytes: 13, quarantined });
  const findings: { topic: string; says: string }[] = (await json("doctor")).findings;
  expect(findings.find(({ topic }) => topic === "damaged")?.says).toContain("1 (13 B) in quarantine");
  expect(await json("prune", "--max-size", "1GB", "--dry-run")).toMatchObject({ quarantined, dryRun: true });
  expect((await runMote(["prune", "--max-size", "1GB", "--cache", cache])).stdout).toContain("1 quarantined file");
  expect(await json("du")).toMatchObject({ bytes: 0, quarantined: { files: 0, bytes: 0 } });
});

it("no file of a cache is writable by others, with any umask", async () => {
  await writeFile(join(dir, "file"), "0123456789");
  for (const umask of ["000", "002", "022", "077"]) {
    const cache = join(dir, `umask-${umask}`, "below", "cache");
    const script = `umask ${umask}; "$0" "$1" add "$2" --cache "$3" && "$0" "$1" push "$2" oci:"$3"-out:1 --cache "$3" && "$0" "$1" bic stats --cache "$3"`;
    const ended = await run("/bin/sh", ["-c", script, process.execPath, mainFile, join(dir, "file"), cache]);
    expect([umask, ended.status, ended.stderr.includes("mote:")]).toEqual([umask, 0, false]);
    const found = await run("find", [
      join(dir, `umask-${umask}`, "below"),
      "!",
      "-type",
      "l",
      "-perm",
      umask === "002" ? "/002" : "/022",
    ]);
    expect([umask, found.stdout]).toEqual([umask, ""]);
  }
});
