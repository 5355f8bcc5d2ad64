import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mainFile, runMote } from "./run-mote.js";

const wanted = needs("script");

describe.skipIf(wanted !== "")(`prune on a terminal${wanted}`, () => {
  let dir: string;
  let digest: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-question-"));
    await writeFile(join(dir, "file.txt"), "to be pruned or not");
    digest = (await mote("add", join(dir, "file.txt"))).stdout.slice(0, 71);
  });

  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  const mote = (...args: string[]) => runMote([...args, "--cache", join(dir, "cache")]);
  const isStored = async () => (await mote("ls", "--full")).stdout.includes(digest);

  /** Runs the command on a pseudo-terminal, and types the answer when it asks. */
  function answer(keys: string, ...args: string[]): Promise<{ status: number | null; shown: string }> {
    const words = [process.execPath, mainFile, "prune", "--max-size", "0", "--cache", join(dir, "cache"), ...args];
    const line = words.map((word) => `'${word}'`).join(" ");
    const env = { PATH: process.env.PATH, HOME: "/nonexistent", TERM: "xterm" };
    const child = spawn("script", ["-qec", line, "/dev/null"], { env });
    let shown = "";
    let isAsked = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      shown += text;
      if (isAsked || !shown.includes("[y/N]")) return;
      isAsked = true;
      child.stdin.write(keys);
    });
    return new Promise((resolve) => {
      child.once("close", (status) => resolve({ status, shown }));
    });
  }

  it("shows what it will remove, and removes it after yes", async () => {
    const { status, shown } = await answer("y\r");
    expect([status, await isStored()]).toEqual([0, false]);
    expect(shown).toMatch(/1 unreferenced blob/);
    expect(shown).toMatch(/removed 1 mote/);
  });

  it("removes nothing after any other answer, nor after an interrupt", async () => {
    for (const keys of ["\r", "n\r", "yikes\r", "\u0003", "\u0004"]) {
      const { status } = await answer(keys);
      expect([keys, await isStored()]).toEqual([keys, true]);
      if (keys === "\u0003") expect(status).toBe(130);
    }
  });

  it("does not ask with --yes", async () => {
    const { status, shown } = await answer("", "--yes");
    expect([status, await isStored()]).toEqual([0, false]);
    expect(shown).not.toContain("[y/N]");
  });
});
