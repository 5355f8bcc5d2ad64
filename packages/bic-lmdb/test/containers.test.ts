import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { LmdbBlobInfoCache } from "../src/index.js";
import { endOf, linesOf, startChild, useInChild } from "./child.js";
import { digestOf, writeSeed } from "./seed.js";

const container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
const [command = "", ...options] = container;
const canUnshare = spawnSync(command, [...options, "true"]).status === 0;
const needs = canUnshare ? "" : " (skipped: run as root on Linux, where a process id namespace can be made)";

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!canUnshare)(`two containers in which the process has the same id${needs}`, () => {
  it("share the file in turn, because an idle process releases it", async () => {
    const path = join(folder, "idle", "bic.lmdb");
    await writeSeed(path);
    const first = startChild("serve", path, { under: container });
    const ended = endOf(first);
    const answers = linesOf(first)[Symbol.asyncIterator]();
    first.stdin?.write("before\n");
    await answers.next();
    await released(path);
    const use = await useInChild(path, "own", 20, { under: container });
    expect(use).toMatchObject({ known: 200, recorded: 20, codes: [], mode: "persistent", warnings: [] });
    first.stdin?.write("after\n");
    await answers.next();
    first.stdin?.end();
    expect(await ended).toBe(0);
    expect(await count(path)).toBe(222);
    expect(setAside(path)).toEqual([]);
  });

  it("lose nothing while one is always active and the other records in memory", async () => {
    const path = join(folder, "busy", "bic.lmdb");
    const first = startChild("record", path, { under: container });
    const ended = endOf(first);
    let acknowledged = 0;
    let second: Promise<unknown> | undefined;
    for await (const _ of linesOf(first)) {
      acknowledged++;
      second ??= useInChild(path, "own", 20, { under: container }).finally(() => first.kill("SIGKILL"));
    }
    await ended;
    expect(await second).toMatchObject({ recorded: 20, codes: [], mode: "memory", warnings: [{ code: "EAGAIN" }] });
    expect(setAside(path)).toEqual([]);
    expect(await count(path)).toBeGreaterThanOrEqual(acknowledged);
  });

  it("write facts from memory when the file is free", async () => {
    const path = join(folder, "late", "bic.lmdb");
    const first = startChild("record", path, { under: container });
    const ended = endOf(first);
    const second = startChild("serve", path, { under: container });
    const secondEnded = endOf(second);
    let begun = false;
    for await (const _ of linesOf(first)) {
      if (begun) continue;
      begun = true;
      second.stdin?.write("late\n");
      void linesOf(second)
        [Symbol.asyncIterator]()
        .next()
        .then(() => first.kill("SIGKILL"));
    }
    await ended;
    await released(path);
    second.stdin?.end();
    expect(await secondEnded).toBe(0);
    await using cache = new LmdbBlobInfoCache(path);
    const found = await cache.candidateLocations("t", "s", digestOf("late"), { canSubstitute: false });
    expect(found.map(({ location }) => location)).toEqual(["location of late"]);
  });
});

/** Waits until no process has a lock on the file, by the kernel's list of locks. */
async function released(path: string): Promise<void> {
  const held = `:${statSync(`${path}-lock`).ino} `;
  while (readFileSync("/proc/locks", "utf8").includes(held)) await delay(10);
}

async function count(path: string): Promise<number> {
  await using cache = new LmdbBlobInfoCache(path);
  return (await cache.statistics()).locations;
}

function setAside(path: string): string[] {
  return readdirSync(dirname(path)).filter((name) => name.includes("damaged"));
}
