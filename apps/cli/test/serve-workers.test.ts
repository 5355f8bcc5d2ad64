import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { listenOnLoopback } from "@mote/testbed";
import { hashSync } from "bcryptjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";
import { startServe } from "./start-serve.js";

const root = mkdtempSync(join(tmpdir(), "mote-serve-workers-"));
const dir = join(root, "cache");
const users = join(root, "users");

beforeAll(async () => {
  await using mote = await openMote({ dir });
  expect(mote.dir).toBe(dir);
});
afterAll(() => rmSync(root, { recursive: true }));

function childrenOf(pid: number | undefined): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Returns the status of a request over a new connection, which any of the processes may get. */
async function statusOf(url: string, password: string): Promise<number> {
  const headers = { authorization: `Basic ${btoa(`ann:${password}`)}`, connection: "close" };
  return (await fetch(`${url}/v2/`, { headers })).status;
}

describe.skipIf(process.platform !== "linux")("mote serve --workers", () => {
  it("serves with several processes that reload and stop together", async () => {
    writeFileSync(users, `ann:${hashSync("old", 4)}\n`);
    const { child, url } = await startServe(dir, ["--workers", "2", "--htpasswd", users]);
    const workers = childrenOf(child.pid);
    expect(workers).toHaveLength(2);
    expect(await Promise.all(Array.from({ length: 8 }, () => statusOf(url, "old")))).toEqual(Array(8).fill(200));
    writeFileSync(users, `ann:${hashSync("new", 4)}\n`);
    child.kill("SIGHUP");
    const all = () => Promise.all(Array.from({ length: 8 }, () => statusOf(url, "new")));
    await expect.poll(all).toEqual(Array(8).fill(200));
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(workers.filter(isRunning)).toEqual([]);
  });

  it("reports the figures of all processes, whichever of them responds", async () => {
    const bytes = new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}');
    const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestBytes(bytes), size: bytes.byteLength };
    await using mote = await openMote({ dir });
    await writeMote(mote.cache, descriptor, bytes);
    await mote.tags.tag("docker.io/library/app:1", descriptor);
    const { child, url } = await startServe(dir, ["--workers", "2"]);
    const get = async (path: string) => (await fetch(`${url}${path}`, { headers: { connection: "close" } })).text();
    await Promise.all(Array.from({ length: 12 }, () => get("/v2/library/app/manifests/1")));
    for (let asked = 0; asked < 4; asked++) {
      expect(JSON.parse(await get("/api/status"))).toMatchObject({
        hits: 12,
        bytes: { served: 12 * bytes.byteLength },
      });
      expect(await get("/metrics")).toContain("mote_hits_total 12\n");
    }
    child.kill("SIGTERM");
    await once(child, "exit");
  });

  it("starts a process again that ended", async () => {
    const { child, url, lines } = await startServe(dir, ["--workers", "2"]);
    const [first = 0, second = 0] = childrenOf(child.pid);
    process.kill(first, "SIGKILL");
    const ends = () => lines().filter((line) => /a worker ended \(SIGKILL\); it is started again in/.test(line)).length;
    await expect.poll(ends).toBe(1);
    process.kill(second, "SIGKILL");
    // A connection that the parent gives to a process before it notices its end gets no answer.
    await expect.poll(ends).toBe(2);
    await expect.poll(() => childrenOf(child.pid).length).toBe(2);
    await expect.poll(() => fetch(`${url}/livez`).then(({ status }) => status)).toBe(200);
  });

  it("ends its processes at once at the second signal, and with it when it is killed", async () => {
    for (const signals of [["SIGTERM", "SIGTERM"], ["SIGKILL"]] as const) {
      const { child } = await startServe(dir, ["--workers", "2"]);
      const workers = childrenOf(child.pid);
      const exit = once(child, "exit");
      for (const signal of signals) child.kill(signal);
      await exit;
      await expect.poll(() => workers.filter(isRunning)).toEqual([]);
    }
  });

  it("reports an error once if it cannot start", async () => {
    const other = createServer();
    const [, port = ""] = (await listenOnLoopback(other)).split(":");
    const args = ["serve", "--port", port, "--cache", dir, "--workers", "3"];
    const { status, stdout, stderr } = await runMote(args);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^mote: cannot listen on 127\.0\.0\.1 port \d+: the port is in use[^\n]*\n$/);
    other.close();
  });
});
