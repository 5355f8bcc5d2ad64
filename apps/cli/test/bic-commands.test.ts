import { spawnSync } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { openMote } from "@mote/preset";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { documents } from "../src/json/documents.js";
import { mainFile, runMote } from "./run-mote.js";

let dir: string;
const digest = digestBytes(new TextEncoder().encode("a layer"));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-bic-"));
  await using mote = await openMote({ dir: join(dir, "one") });
  for (const place of ["docker://r.example/lib/a", "docker://r.example/lib/b"]) {
    await mote.locator.recordLayerSource({ digest }, place);
  }
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const mote = (cache: string, ...args: string[]) => runMote([...args, "--cache", join(dir, cache)]);

describe("mote bic", () => {
  it("transfers the records of one cache to another, once", async () => {
    const file = join(dir, "facts.jsonl");
    expect(JSON.parse((await mote("one", "bic", "export", file, "--json")).stdout)).toEqual({ file, facts: 2 });
    expect((await mote("one", "bic", "export")).stdout).toBe(await readFile(file, "utf8"));
    expect(JSON.parse((await mote("two", "bic", "merge", file, "--json")).stdout)).toEqual([
      { file, facts: 2, changed: 2 },
    ]);
    expect(JSON.parse((await mote("two", "bic", "merge", file, "--json")).stdout)[0].changed).toBe(0);
    const known = JSON.parse((await mote("two", "locate", digest, "--json")).stdout);
    expect(known.places.map(({ location }: { location: string }) => location).sort()).toEqual([
      "docker://r.example/lib/a",
      "docker://r.example/lib/b",
    ]);
    expect(JSON.parse((await mote("two", "bic", "stats", "--json")).stdout)).toMatchObject({
      locations: 2,
      mode: "persistent",
    });
  });

  it("reads records from a pipe, and names the file and line of an invalid one", async () => {
    const input = (await mote("one", "bic", "export")).stdout;
    const ended = spawnSync(process.execPath, [mainFile, "bic", "merge", "-", "--cache", join(dir, "three")], {
      input,
    });
    expect([ended.status, String(ended.stdout)]).toEqual([0, "-: 2 records, 2 new\n"]);
    const bad = join(dir, "bad.jsonl");
    await writeFile(bad, `${input}no fact\n`);
    const refused = await mote("three", "bic", "merge", bad, "--json");
    expect([refused.status, JSON.parse(refused.stderr).error.code]).toEqual([1, "MOTE_INVALID_FACT"]);
    expect(JSON.parse(refused.stderr).error.message).toContain(bad);
    const absent = await mote("three", "bic", "merge", join(dir, "absent"), "--json");
    expect(JSON.parse(absent.stderr).error.code).toBe("MOTE_NOT_FOUND");
  });

  it("says how many lines of an export a thin archive was written without, because they are not valid", async () => {
    const [have, list] = [join(dir, "facts.jsonl"), join(dir, "images.txt")];
    await mote("one", "bic", "export", have);
    await appendFile(have, "no fact\n{}\n");
    await writeFile(list, "# none\n");
    const sync = ["sync", list, `oci-archive:${join(dir, "thin.tar")}`, "--without", have];
    expect(await mote("one", ...sync)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(`ignored 2 lines of ${have} (--without), the first is line 4`),
    });
    const report = JSON.parse((await mote("one", ...sync, "--json")).stdout);
    expect(report.unreadable).toEqual([{ path: have, lines: 2, firstLine: 4 }]);
    expect(documents.sync?.safeParse(report).error).toBe(undefined);
    await writeFile(have, "{}\n");
    const failed = await mote("one", ...sync, "--json");
    expect([failed.status, JSON.parse(failed.stderr).error.code]).toEqual([1, "MOTE_INVALID_FACT"]);
  });

  it("leaves no partial file if it cannot be written", async () => {
    const ended = await mote("one", "bic", "export", join(dir, "absent", "facts.jsonl"), "--json");
    expect([ended.status, JSON.parse(ended.stderr).error.code]).toEqual([1, "MOTE_UNWRITABLE"]);
    expect(await readdir(dir)).toEqual(["one"]);
  });
});

it("add - adds stdin of any length", async () => {
  const input = Buffer.alloc(3_000_000, "all work and no play ");
  const add = ["add", "-", "--cache", join(dir, "one")];
  const ended = spawnSync(process.execPath, [mainFile, ...add], { input });
  const added = digestBytes(input);
  expect([ended.status, String(ended.stdout)]).toEqual([0, `${added}  -\n`]);
  expect((await mote("one", "cat", added)).stdout.length).toBe(input.byteLength);
});
