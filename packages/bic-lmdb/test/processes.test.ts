import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { LmdbBlobInfoCache } from "../src/index.js";
import { endOf, linesOf, startChild, useInChild } from "./child.js";
import { digestOf } from "./seed.js";

/** Times that a writer is killed. More on demand: KILLS=1000. */
const kills = Number(process.env.KILLS || 20);

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
afterAll(() => rmSync(folder, { recursive: true }));

const canTrace = spawnSync("strace", ["-V"]).status === 0;

it.skipIf(!canTrace)(
  `a record is on disk before it is acknowledged${canTrace ? "" : " (skipped: install strace)"}`,
  async () => {
    const log = join(folder, "trace");
    const trace = ["strace", "-f", "-o", log, "-e", "trace=fdatasync,fsync,write"];
    const child = startChild("serve", join(folder, "traced", "bic.lmdb"), { under: trace });
    const ended = endOf(child);
    let answers = 0;
    child.stdin?.write("first\n");
    for await (const _ of linesOf(child)) {
      if (++answers === 3) break;
      child.stdin?.write(`${answers}\n`);
    }
    child.stdin?.end();
    expect(await ended).toBe(0);
    const calls = readFileSync(log, "utf8").split("\n");
    const acknowledged = calls.flatMap((call, at) => (call.includes("recorded") ? [at] : []));
    expect(acknowledged.length).toBe(3);
    let from = 0;
    for (const at of acknowledged) {
      expect(calls.slice(from, at).some((call) => /f(data)?sync\(\d+\) += 0/.test(call))).toBe(true);
      from = at;
    }
  },
);

describe("several processes", () => {
  it("see each other's records at the next look-up", async () => {
    const path = join(folder, "seen", "bic.lmdb");
    await using cache = new LmdbBlobInfoCache(path);
    const known = async (name: string) =>
      (await cache.candidateLocations("t", "s", digestOf(name), { canSubstitute: false })).length;
    const child = startChild("serve", path);
    const ended = endOf(child);
    let asked = 0;
    const ask = () => child.stdin?.write(`${++asked}\n`);
    ask();
    for await (const _ of linesOf(child)) {
      expect(await known(`${asked}`)).toBe(1);
      expect(await known(`${asked + 1}`)).toBe(0);
      if (asked === 50) break;
      ask();
    }
    child.stdin?.end();
    expect(await ended).toBe(0);
  });

  it("write at once, and every record is kept", async () => {
    const path = join(folder, "together", "bic.lmdb");
    const uses = await Promise.all(["a", "b", "c", "d"].map((name) => useInChild(path, name, 250)));
    for (const use of uses) expect(use).toMatchObject({ recorded: 250, codes: [], warnings: [] });
    await using cache = new LmdbBlobInfoCache(path);
    expect((await cache.statistics()).locations).toBe(1000);
  });

  it("order their records by one sequence", async () => {
    const path = join(folder, "order", "bic.lmdb");
    // This one's clock is a day behind; its record is the later one all the same.
    await using cache = new LmdbBlobInfoCache(path, { now: () => Date.now() - 86_400_000 });
    const child = startChild("serve", path);
    const ended = endOf(child);
    child.stdin?.write("blob\n");
    for await (const _ of linesOf(child)) break;
    child.stdin?.end();
    await ended;
    await cache.recordKnownLocation("t", "s", digestOf("blob"), "later");
    const found = await cache.candidateLocations("t", "s", digestOf("blob"), { canSubstitute: false });
    expect(found.map(({ location }) => location)).toEqual(["later", "place of blob"]);
  });

  it("are not needed: two caches of one process share the file, and one outlasts the other", async () => {
    const path = join(folder, "twice", "bic.lmdb");
    const one = new LmdbBlobInfoCache(path);
    await using two = new LmdbBlobInfoCache(path);
    await one.recordKnownLocation("t", "s", digestOf("a"), "1");
    await two.recordKnownLocation("t", "s", digestOf("a"), "2");
    const found = await one.candidateLocations("t", "s", digestOf("a"), { canSubstitute: false });
    expect(found.map(({ location }) => location)).toEqual(["2", "1"]);
    await one.close();
    await two.recordKnownLocation("t", "s", digestOf("a"), "3");
    expect((await two.candidateLocations("t", "s", digestOf("a"), { canSubstitute: false })).length).toBe(3);
  });

  it(`killed ${kills} times while they record, lose nothing that was acknowledged`, { timeout: 600_000 }, async () => {
    const path = join(folder, "killed", "bic.lmdb");
    let next = 0;
    for (let round = 0; round < kills; round++) {
      const child = startChild("record", path, { args: [next] });
      const ended = endOf(child);
      const enough = next + 1 + Math.floor(Math.random() * 20);
      for await (const line of linesOf(child)) {
        next = Number(line) + 1;
        if (next >= enough) child.kill("SIGKILL");
      }
      expect(await ended).toBe("SIGKILL");
    }
    const warnings: string[] = [];
    const logger = { debug() {}, info() {}, warn: (message: string) => void warnings.push(message), error() {} };
    await using cache = new LmdbBlobInfoCache(path, { logger });
    const lost: number[] = [];
    for (let i = 0; i < next; i++) {
      const found = await cache.candidateLocations("t", "s", digestOf(i), { canSubstitute: false });
      if (found.length === 0) lost.push(i);
    }
    expect(lost).toEqual([]);
    expect(warnings).toEqual([]);
  });
});
