import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDigest } from "@mote/core";
import { FileCache } from "@mote/fs";
import { type RangeServer, type RangeServerOptions, startRangeServer } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const MiB = 1024 * 1024;
/** As in the program. */
const connections = 4;
const program = fileURLToPath(new URL("mirror-ranges-process.mjs", import.meta.url));

let root: string;
let upstream: RangeServer;
const running: MirrorProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-mirror-ranges-"));
});

afterEach(async () => {
  for (const each of running.splice(0)) await each.kill();
  await upstream[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

async function startUpstream(options: RangeServerOptions): Promise<void> {
  upstream = await startRangeServer(options);
}

/** A mirror in a process of its own; all share one folder. */
class MirrorProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  #lines: string[] = [];
  #killed: Promise<void> | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    let text = "";
    child.stdout?.on("data", (data) => {
      text += data;
      this.#lines = text.split("\n");
    });
  }

  static async start(name: string): Promise<MirrorProcess> {
    const [registry = ""] = upstream.image.split("/");
    const child = spawn(process.execPath, [program, root, registry, name], { stdio: ["ignore", "pipe", "inherit"] });
    const started = new MirrorProcess(name, child);
    running.push(started);
    while (started.#lines.length < 2) await once(child.stdout ?? child, "data");
    return started;
  }

  /** The bytes that it has received from the upstream. */
  get received(): number {
    return Number(this.#lines.findLast((line) => /^\d+$/.test(line)) ?? 0);
  }

  /** Why it read the rest of a blob in one stream. */
  get ended(): string[] {
    return this.#lines.filter((line) => line.startsWith("MOTE_"));
  }

  /** The ranges that it has requested. */
  get requests() {
    return upstream.requests.filter(({ path }) => path.startsWith(`/v2/${this.#name}/`)).map(({ range }) => range);
  }

  get requestedBytes(): number {
    const { size } = upstream.blob;
    return this.requests.reduce((sum, range) => sum + Math.min(range?.end ?? size, size) - (range?.start ?? 0), 0);
  }

  /** Requests the blob as a client. */
  async open(): Promise<Response> {
    return await fetch(`${this.#lines[0]}/v2/a/b/blobs/${upstream.blob.digest}`);
  }

  /** Resolves when all of its output is read. */
  kill(): Promise<void> {
    this.#killed ??= once(this.#child, "close").then(() => {});
    this.#child.kill("SIGKILL");
    return this.#killed;
  }
}

async function digestOf(response: Response | Promise<Response>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of (await response).body ?? []) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

async function isStored(): Promise<boolean> {
  await using cache = new FileCache(root);
  return await cache.moteExists(parseDigest(upstream.blob.digest));
}

const ingests = () => readdirSync(join(root, ".mote", "ingest"));

describe("a mirror that fetches a blob in parallel ranges", () => {
  it("requests each byte once for all clients of three processes, who get the bytes in order", async () => {
    await startUpstream({ size: 24 * MiB + 12_345, bytesPerSecond: 20e6 });
    const mirrors = await Promise.all(["one", "two", "three"].map((name) => MirrorProcess.start(name)));
    const clients = Array.from({ length: 12 }, (_, at) => mirrors[at % mirrors.length]);
    const digests = await Promise.all(clients.map(async (mirror) => mirror && digestOf(mirror.open())));
    expect(new Set(digests)).toEqual(new Set([upstream.blob.digest]));
    expect(upstream.sentBytes).toBe(upstream.blob.size);
    expect(upstream.mostAtOnce).toBe(connections);
    await expect.poll(ingests, { timeout: 20_000 }).toEqual([]);
    for (const mirror of mirrors) await mirror.kill();
    expect(mirrors.filter(({ received }) => received > 0).length).toBe(1);
  });

  it("reads one response if the upstream ignores ranges", async () => {
    await startUpstream({ size: 5 * MiB, reply: () => ({ ignoresRange: true }) });
    const mirror = await MirrorProcess.start("one");
    expect(await digestOf(mirror.open())).toBe(upstream.blob.digest);
    expect(mirror.requests.length).toBe(1);
  });

  it.each([
    ["has changed", { etag: '"2"' }],
    ["ignores its range", { ignoresRange: true }],
    ["is of another range", { contentRange: `bytes 0-${MiB - 1}/${6 * MiB}` }],
  ])("continues in one stream if a later response %s", async (_, reply) => {
    let isAsked = false;
    await startUpstream({
      size: 6 * MiB,
      reply: ({ range }) => {
        if (isAsked || range?.start !== 2 * MiB) return undefined;
        isAsked = true;
        return reply;
      },
    });
    const mirror = await MirrorProcess.start("one");
    expect(await digestOf(mirror.open())).toBe(upstream.blob.digest);
    await mirror.kill();
    expect(mirror.ended).toEqual(["MOTE_RANGE_REFUSED"]);
  });

  it("continues when connections are cut or stall, and requests only what is missing", async () => {
    await startUpstream({
      size: 8 * MiB,
      reply: ({ number, range }) => {
        if (range === undefined || number > 4) return undefined;
        return number % 2 === 0 ? { cutAt: range.start + 300_000 } : { stallAt: range.start + 500_000 };
      },
    });
    const mirror = await MirrorProcess.start("one");
    expect(await digestOf(mirror.open())).toBe(upstream.blob.digest);
    await mirror.kill();
    expect(mirror.received).toBe(upstream.blob.size);
    expect(mirror.ended).toEqual([]);
  });

  it("completes no response if a range has a wrong byte, stores nothing, and fetches the blob again", async () => {
    let damageAt: number | undefined = 5 * MiB + 17;
    await startUpstream({ size: 8 * MiB, reply: () => ({ ...(damageAt !== undefined && { damageAt }) }) });
    const mirrors = [await MirrorProcess.start("one"), await MirrorProcess.start("two")];
    const ends = await Promise.allSettled([...mirrors, ...mirrors].map((mirror) => digestOf(mirror.open())));
    expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "rejected"));
    expect(await isStored()).toBe(false);
    damageAt = undefined;
    for (const mirror of mirrors) expect(await digestOf(mirror.open())).toBe(upstream.blob.digest);
  });
});

describe("a mirror that is killed while it fetches ranges", () => {
  const kills = Number(process.env.KILLS ?? 6);
  const title = `is continued by another, which loses at most 1 MiB of each connection (${kills} kills)`;
  it(title, { timeout: 60_000 + kills * 5_000 }, async () => {
    let onSent = (_bytes: number) => {};
    await startUpstream({ size: 24 * MiB, bytesPerSecond: 30e6, onSent: (bytes) => onSent(bytes) });
    let random = 54321;
    for (let kill = 0; kill < kills; kill++) {
      random = (random * 1103515245 + 12345) % 2 ** 31;
      const at = upstream.sentBytes + Math.floor((random / 2 ** 31) * 22 * MiB) + MiB;
      const [first, second] = [await MirrorProcess.start(`one${kill}`), await MirrorProcess.start(`two${kill}`)];
      const isKilled = new Promise<void>((resolve) => {
        onSent = (bytes) => {
          if (bytes >= at) first.kill().then(resolve);
        };
      });
      const broken = digestOf(first.open());
      broken.catch(() => {});
      // A client of the second one follows the first, or comes later.
      const isWaiting = kill % 2 === 0;
      while (first.received === 0) await new Promise(setImmediate);
      const waiting = isWaiting ? second.open() : undefined;
      await isKilled;
      onSent = () => {};
      await expect(broken).rejects.toThrow();
      expect(await digestOf(waiting ?? second.open())).toBe(upstream.blob.digest);
      const stored = upstream.blob.size - second.requestedBytes;
      expect([at, first.received - stored]).toEqual([at, expect.toSatisfy((lost) => lost <= connections * MiB)]);
      expect(stored).toBeLessThanOrEqual(first.received);
      await expect.poll(ingests, { timeout: 20_000 }).toEqual([]);
      await second.kill();
      expect(second.received).toBe(second.requestedBytes);
      await using cache = new FileCache(root);
      await cache.removeMote(parseDigest(upstream.blob.digest));
    }
  });
});
