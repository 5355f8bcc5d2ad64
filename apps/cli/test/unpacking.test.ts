import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-unpacking-"));
  await mkdir(join(dir, "from", "data"), { recursive: true });
  await writeFile(join(dir, "from", "data", "zeros"), new Uint8Array(1_000_000));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const mote = (...args: string[]) => runMote([...args, "--cache", join(dir, "cache"), "--json"]);

it("directories and compressed archives are unpacked up to the limit, and the error names the option", async () => {
  const [layout, archive, out] = [
    `oci:${join(dir, "layout")}:1`,
    `oci-archive:${join(dir, "a.tar.gz")}:1`,
    join(dir, "out"),
  ];
  expect((await mote("push", `${join(dir, "from", "data")}/`, layout)).status).toBe(0);
  expect((await mote("copy", layout, archive)).status).toBe(0);
  for (const [args, allowed] of [
    [["pull", layout, `${out}/`], "1MB"],
    [["pull", archive], "2kB"],
  ] as const) {
    const { status, stderr } = await mote(...args, "--max-unpacked", allowed);
    expect(status).toBe(1);
    const { error } = JSON.parse(stderr);
    expect(error.code).toBe("MOTE_TOO_LARGE");
    expect(error.message).toContain("--max-unpacked");
  }
  expect(await readdir(dir)).not.toContain("out");
  expect((await mote("pull", layout, `${out}/`, "--max-unpacked", "1.1MB")).status).toBe(0);
  expect(await readdir(join(out, "data"))).toEqual(["zeros"]);
});
