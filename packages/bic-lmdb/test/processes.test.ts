import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { LmdbBlobInfoCache } from "../src/index.js";
import { endOf, linesOf, startChild, useInChild } from "./child.js";
import { digestOf, writeSeed } from "./seed.js";

// How often a writer is killed. KILLS=1000 asks for more.
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

  it("write concurrently, and every record is stored", async () => {
    const path = join(folder, "together", "bic.lmdb");
    const uses = await Promise.all(["a", "b", "c", "d"].map((name) => useInChild(path, name, 250)));
    for (const use of uses) expect(use).toMatchObject({ recorded: 250, codes: [], warnings: [] });
    await using cache = new LmdbBlobInfoCache(path);
    expect((await cache.statistics()).locations).toBe(1000);
  });

  it("lose nothing while other processes keep opening the file", { timeout: 300_000 }, async () => {
    const path = join(folder, "opened", "bic.lmdb");
    await writeSeed(path);
    const writer = startChild("record", path, { args: [1000] });
    const openers = [startChild("reopen", path), startChild("reopen", path)];
    const ended = Promise.all([writer, ...openers].map(endOf));
    let acknowledged = 0;
    for await (const _ of linesOf(writer)) {
      if (++acknowledged === 2_000) writer.kill("SIGKILL");
    }
    for (const opener of openers) opener.kill("SIGKILL");
    expect(await ended).toEqual(["SIGKILL", "SIGKILL", "SIGKILL"]);
    await using cache = new LmdbBlobInfoCache(path);
    expect((await cache.statistics()).locations).toBeGreaterThanOrEqual(200 + acknowledged);
  });

  it.each(["before", "after"])(
    "do not wait forever for one that is stopped in a transaction, opened %s it",
    async (when) => {
      const path = join(folder, `stopped-${when}`, "bic.lmdb");
      await writeSeed(path);
      const warnings: object[] = [];
      const warn = (_: string, details?: object) => void warnings.push(details ?? {});
      const cache = new LmdbBlobInfoCache(path, { logger: { debug() {}, info() {}, warn, error() {} } });
      const lines = cache.export();
      // A file that is being read is not closed when idle.
      if (when === "before") await lines.next();
      const stopped = startChild("stop", path);
      const ended = endOf(stopped);
      while (!isStopped(stopped.pid)) await delay(10);

      await cache.recordKnownLocation("t", "s", digestOf("meanwhile"), "location");
      expect((await cache.statistics()).mode).toBe("memory");
      expect(warnings.at(-1)).toMatchObject({ code: "MOTE_TIMEOUT", cause: { details: { pid: stopped.pid } } });

      stopped.kill("SIGCONT");
      expect(await ended).toBe(0);
      await lines.return();
      await cache.close();
      await using after = new LmdbBlobInfoCache(path);
      expect((await after.statistics()).locations).toBe(202);
    },
    60_000,
  );

  it("do not wait for one that was killed in a transaction", async () => {
    const path = join(folder, "ended", "bic.lmdb");
    await writeSeed(path);
    const stopped = startChild("stop", path);
    const ended = endOf(stopped);
    while (!isStopped(stopped.pid)) await delay(10);
    const use = useInChild(path, "own", 20);
    stopped.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
    expect(await use).toMatchObject({ known: 200, recorded: 20, codes: [], mode: "persistent", warnings: [] });
  });

  it("order their records by a common sequence", async () => {
    const path = join(folder, "order", "bic.lmdb");
    // The clock of this process is a day behind, but its record is later.
    await using cache = new LmdbBlobInfoCache(path, { now: () => Date.now() - 86_400_000 });
    const child = startChild("serve", path);
    const ended = endOf(child);
    child.stdin?.write("blob\n");
    for await (const _ of linesOf(child)) break;
    child.stdin?.end();
    await ended;
    await cache.recordKnownLocation("t", "s", digestOf("blob"), "later");
    const found = await cache.candidateLocations("t", "s", digestOf("blob"), { canSubstitute: false });
    expect(found.map(({ location }) => location)).toEqual(["later", "location of blob"]);
  });

  it("and two caches of one process share the file, and one can be closed first", async () => {
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

/** Returns whether the state of a process is `T` (stopped). */
function isStopped(pid: number | undefined): boolean {
  return / T /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}
