import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CountingUpstream, startCountingUpstream } from "./counting-upstream.js";
import { killLeader, layerBytes, pausedAt, pull, reachPause, startMember } from "./fleet-setup.js";
import { runMote } from "./run-mote.js";
import { endServing, type Serving } from "./start-serve.js";

const skip = needs("redis-server");

let root: string;
let redis: RedisServer;
let upstream: CountingUpstream;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-fleet-"));
  redis = await startRedisServer();
  upstream = await startCountingUpstream();
});
afterEach(async () => {
  await endServing();
  await upstream[Symbol.asyncDispose]();
  await redis.stop();
  rmSync(root, { recursive: true, force: true });
});

const start = (more: readonly string[] = []) => startMember({ root, upstream }, ["--bic", redis.url, ...more]);
const startsOf = (digests: readonly string[]) => digests.map((digest) => upstream.reads.get(digest));

describe.skipIf(skip)(`several mote serve with --advertise${skip}`, () => {
  it("read each blob once from the upstream for 32 clients, who get it while it arrives", async () => {
    const { digests, layer } = upstream.addImage("1", layerBytes);
    const resume = upstream.pause(layer, pausedAt);
    const members = await Promise.all([start(), start(), start(), start(["--workers", "2"])]);
    let clients = 32;
    const pulled = Array.from({ length: clients }, (_, at) =>
      pull(members[at % members.length] as Serving, "1", () => {
        if (--clients === 0) resume();
      }),
    );
    for (const found of await Promise.all(pulled)) expect(found).toEqual(digests);
    expect(startsOf(digests)).toEqual([[0], [0], [0]]);
    const late = await start();
    expect(await pull(late, "1")).toEqual(digests);
    expect(startsOf(digests)).toEqual([[0], [0], [0]]);
  }, 90_000);

  it("continue at the byte if the one that reads from the upstream is killed", async () => {
    const { digests, layer } = upstream.addImage("1", layerBytes);
    const resume = upstream.pause(layer, pausedAt);
    const members = await Promise.all([start(), start(), start()]);
    const pulls = members.map((member) => pull(member, "1"));
    for (const each of pulls) each.catch(() => {});
    const leader = await killLeader(members, layer);
    resume();
    for (const [at, member] of members.entries()) {
      if (member === leader) await expect(pulls[at]).rejects.toThrow();
      else expect(await pulls[at]).toEqual(digests);
    }
    expect(upstream.reads.get(layer)).toEqual([0, pausedAt]);
  }, 90_000);

  it("read from each other with a secret of their own, which is not stored in Redis", async () => {
    const { digests } = upstream.addImage("1", 100_000);
    const file = join(root, "secret");
    writeFileSync(file, "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
    const members = [await start(["--fleet-secret", file]), await start(["--fleet-secret", file])];
    for (const member of members) expect(await pull(member, "1")).toEqual(digests);
    expect(startsOf(digests)).toEqual([[0], [0], [0]]);
    expect(await redisAnswer("KEYS *secret*")).toBe("*0\r\n");
    const args = ["serve", "--bic", redis.url, "--cache", join(root, "none"), "--advertise"];
    for (const rest of [
      ["ftp://host"],
      ["http://host:1"],
      ["http://host:1", "--upstream", "a.example", "--fleet-secret", root],
    ]) {
      const { status, stderr } = await runMote([...args, ...rest]);
      expect([status, stderr.match(/^mote: [^\n]*\n$/)?.length], rest.join(" ")).toEqual([2, 1]);
    }
  }, 90_000);

  it("read right bytes, one more time, if Redis loses the leases meanwhile", async () => {
    const { digests, layer } = upstream.addImage("1", layerBytes);
    const resume = upstream.pause(layer, pausedAt);
    const members = [await start(), await start()];
    const pulls = members.map((member) => pull(member, "1"));
    await reachPause(members, layer);
    expect(await redisAnswer("FLUSHALL")).toBe("+OK\r\n");
    const later = await start();
    pulls.push(pull(later, "1"));
    await expect.poll(() => upstream.reads.get(layer)?.length, { timeout: 30_000 }).toBe(2);
    resume();
    for (const found of await Promise.all(pulls)) expect(found).toEqual(digests);
  }, 90_000);

  it("read on their own while Redis is down, and warn once", async () => {
    const { digests } = upstream.addImage("1", layerBytes);
    const members = [await start(), await start()];
    await redis.stop();
    for (const member of members) expect(await pull(member, "1")).toEqual(digests);
    expect(startsOf(digests)).toEqual(digests.map(() => [0, 0]));
    const warnings = members.map(({ lines }) => lines().filter((line) => line.includes("leases of the fleet")).length);
    expect(warnings).toEqual([1, 1]);
  }, 90_000);
});

async function redisAnswer(command: string): Promise<string> {
  const socket = connect(redis.port, "127.0.0.1");
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return String(answer);
}
