import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseCommandLine } from "../src/input/parse.js";
import { table } from "../src/table.js";
import { runMote } from "./run-mote.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-words-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it.each([
  ["cp", "mote copy"],
  ["list-tags", "mote tags"],
  ["digest", "mote inspect REF --digest"],
  ["delete", "mote rm"],
  ["gc", "mote prune"],
  ["images", "mote ls"],
  ["rmi", "mote rm"],
  ["tag", "mote copy"],
])("the word %s of another tool is answered with `%s`", (word, own) => {
  expect(() => parseCommandLine([word, "x"], table)).toThrow(`mote calls it ${own}`);
});

it("a word of another tool is invalid usage", async () => {
  expect(await runMote(["cp", "a", "b"])).toMatchObject({ status: 2, stdout: "" });
});

it("a push of an archive of images without a transport asks what is meant", async () => {
  for (const [names, transport] of [
    [["manifest.json"], "docker-archive"],
    [["index.json", "oci-layout"], "oci-archive"],
  ] as const) {
    for (const name of names) await writeFile(join(dir, name), "{}");
    const path = join(dir, "image.tar");
    execFileSync("tar", ["-cf", path, "-C", dir, ...names]);
    const asked = await runMote(["push", path, "docker://127.0.0.1:1/x:1", "--cache", join(dir, "cache")]);
    expect(asked).toMatchObject({ status: 2, stderr: expect.stringContaining(`${transport}:${path}`) });
    const pushed = await runMote([
      "push",
      `${path}:application/x-tar`,
      `oci:${dir}/${transport}:1`,
      "--cache",
      join(dir, "cache"),
    ]);
    expect(pushed.status).toBe(0);
  }
});

it("--version prints the versions of mote and Node, and the platform", async () => {
  const { stdout } = await runMote(["--version"]);
  expect(stdout).toBe((await runMote(["ls", "--version"])).stdout);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\S* \(Node \d+\.\d+\.\d+\S*, \S+ \S+\)\n$/);
});
