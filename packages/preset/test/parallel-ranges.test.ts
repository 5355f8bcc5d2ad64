import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type CacheFetch,
  type ContentSource,
  fetchIntoCache,
  MoteError,
  type MoteReader,
  parseDigest,
} from "@mote/core";
import { FileCache } from "@mote/fs";
import { RegistryClient, RegistryRepository } from "@mote/registry";
import { type GeneratedBlob, type RangeServer, type RangeServerOptions, startRangeServer } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

type Source = Pick<ContentSource, "blob">;

const MiB = 1024 * 1024;
const connections = 4;
const program = fileURLToPath(new URL("ranges-process.mjs", import.meta.url));

let root: string;
let server: RangeServer;
const open: AsyncDisposable[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-ranges-"));
});

afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

async function serve(options: RangeServerOptions): Promise<void> {
  server = await startRangeServer(options);
  open.push(server);
}

function newCache(): FileCache {
  const cache = new FileCache(root);
  open.push(cache);
  return cache;
}

const descriptor = ({ blob }: RangeServer) => ({
  digest: parseDigest(blob.digest),
  size: blob.size,
  mediaType: "application/octet-stream",
});

/** Fetches the blob in ranges of a MiB over four connections. Returns why the rest was read in one stream, if it was. */
async function fetch(cache: FileCache, options: Partial<CacheFetch> = {}): Promise<unknown> {
  const client = new RegistryClient({ idleTimeoutMs: 2_000, retryDelayMs: 10, minBytesPerSecond: 0 });
  const [registry = "", ...path] = server.image.split("/");
  const source = new RegistryRepository(client, { registry, repository: path.join("/") });
  let ended: unknown;
  try {
    await fetchIntoCache({
      cache,
      descriptor: descriptor(server),
      parallel: {
        source,
        count: { connections, rangeBytes: MiB, received() {}, failed() {} },
        onEnd: (error) => {
          ended = error;
        },
      },
      sources: async function* () {
        yield source;
      },
      signal: new AbortController().signal,
      onEvent: undefined,
      onSwitch() {},
      begin: () => undefined,
      onBytes() {},
      onReceived() {},
      ...options,
    });
  } finally {
    await client.close();
  }
  return ended;
}

async function expectStored(cache: FileCache): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of await cache.moteReader(descriptor(server).digest)) hash.update(chunk);
  expect(`sha256:${hash.digest("hex")}`).toBe(server.blob.digest);
  expect(ingests()).toEqual([]);
}

function ingests(): string[] {
  const folder = join(root, ".mote", "ingest");
  return existsSync(folder) ? readdirSync(folder) : [];
}

function bytesOf(blob: GeneratedBlob): Buffer {
  return Buffer.concat([...blob.slices(0, blob.size)]);
}

const pieceBytes = 10_000;

/** Reads bytes of the blob without the server, in pieces. */
function piecesOf(start: number, end = server.blob.size): MoteReader {
  const bytes = bytesOf(server.blob);
  const close = async () => {};
  return {
    ...{ info: descriptor(server), close, [Symbol.asyncDispose]: close },
    async *[Symbol.asyncIterator]() {
      for (let at = start; at < end; at += pieceBytes) yield bytes.subarray(at, Math.min(end, at + pieceBytes));
    },
  };
}

function codeOf(error: unknown): unknown {
  return MoteError.isInstance(error) ? error.code : error;
}

describe("a blob in parallel ranges", () => {
  it("is fetched over several connections, each byte once, and reaches a feed in order", async () => {
    await serve({ size: 20 * MiB + 12_345, bytesPerSecond: 20e6 });
    const fed: Uint8Array[] = [];
    let end: unknown = "open";
    const feed = {
      push: (chunk: Uint8Array) => void fed.push(chunk),
      end: () => {
        end = "ended";
      },
      fail: (error: unknown) => {
        end = error;
      },
    };
    const cache = newCache();
    expect(await fetch(cache, { begin: () => feed })).toBe(undefined);
    expect(server.sentBytes).toBe(server.blob.size);
    expect(server.mostAtOnce).toBe(connections);
    expect(end).toBe("ended");
    expect(Buffer.concat(fed).equals(bytesOf(server.blob))).toBe(true);
    await expectStored(cache);
  });

  it("is read in one response if the server ignores ranges", async () => {
    await serve({ size: 5 * MiB, reply: () => ({ ignoresRange: true }) });
    const cache = newCache();
    expect(await fetch(cache)).toBe(undefined);
    expect(server.requests.length).toBe(1);
    expect(server.sentBytes).toBe(server.blob.size);
    await expectStored(cache);
  });

  it.each([
    ["names another range than the requested one", { contentRange: `bytes 0-${MiB - 1}/${6 * MiB}` }],
    ["names no range", { contentRange: "bytes" }],
    ["has changed the blob", { etag: '"2"' }],
    ["ignores this range", { ignoresRange: true }],
  ])("is read in one stream if a later response %s", async (_, reply) => {
    let isAsked = false;
    await serve({
      size: 6 * MiB,
      reply: ({ range }) => {
        if (isAsked || range?.start !== 2 * MiB) return undefined;
        isAsked = true;
        return reply;
      },
    });
    const cache = newCache();
    expect(codeOf(await fetch(cache))).toBe("MOTE_RANGE_REFUSED");
    await expectStored(cache);
  });

  it("is rejected if a range always has another total size", async () => {
    const contentRange = `bytes 2097152-3145727/${7 * MiB}`;
    await serve({ size: 6 * MiB, reply: ({ range }) => (range?.start === 2 * MiB ? { contentRange } : undefined) });
    await expect(fetch(newCache())).rejects.toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
  });

  it("survives connections that are cut or stall, and requests only what is missing", async () => {
    await serve({
      size: 8 * MiB,
      reply: ({ number, range }) => {
        if (range === undefined || number > 4) return undefined;
        return number % 2 === 0 ? { cutAt: range.start + 300_000 } : { stallAt: range.start + 500_000 };
      },
    });
    const cache = newCache();
    expect(await fetch(cache)).toBe(undefined);
    expect(server.sentBytes).toBe(server.blob.size);
    await expectStored(cache);
  });

  it("is never committed with a wrong byte in one range, and leaves nothing", async () => {
    await serve({ size: 8 * MiB, reply: () => ({ damageAt: 5 * MiB + 17 }) });
    const cache = newCache();
    await expect(fetch(cache)).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    expect(await cache.moteExists(descriptor(server).digest)).toBe(false);
    expect(ingests()).toEqual([]);
  });

  it("continues after an abort with what is missing", async () => {
    const abort = new AbortController();
    await serve({ size: 12 * MiB, bytesPerSecond: 20e6 });
    const cache = newCache();
    let stored = 0;
    const aborting = fetch(cache, {
      signal: abort.signal,
      onBytes: (bytes) => {
        stored = bytes;
        if (bytes > 5 * MiB) abort.abort(new Error("enough"));
      },
    });
    await expect(aborting).rejects.toThrow("enough");
    const before = server.requests.length;
    expect(await fetch(cache)).toBe(undefined);
    expect(requestedSince(before)).toBeLessThanOrEqual(server.blob.size - stored);
    await expectStored(cache);
  });

  it.each([
    ["", (source: Source) => source],
    [
      " of a source that sends more than requested",
      ({ blob }: Source): Source => ({ blob: (wanted, { end: _, ...options } = {}) => blob(wanted, options) }),
    ],
  ])(
    "continues in one stream%s, which skips what was stored in ranges and feeds all bytes in order",
    async (_, changed) => {
      await serve({ size: 16 * MiB, bytesPerSecond: 20e6 });
      const cache = newCache();
      const abort = new AbortController();
      let stored = 0;
      const isAborted = fetch(cache, {
        signal: abort.signal,
        onBytes: (bytes, inOrder) => {
          stored = bytes;
          if (bytes > 6 * MiB && bytes > inOrder) abort.abort(new Error("enough"));
        },
      });
      await expect(isAborted).rejects.toThrow("enough");
      const fed: Uint8Array[] = [];
      let fedFrom = 0;
      let received = 0;
      const source: Source = { blob: async (_, { start = 0, end } = {}) => piecesOf(start, end) };
      await fetch(cache, {
        parallel: undefined,
        sources: async function* () {
          yield changed(source);
        },
        begin: ({ start }) => {
          fedFrom = start;
          return { push: (chunk) => void fed.push(chunk), end: () => void fed.push(Buffer.from("end")), fail() {} };
        },
        onReceived: (bytes) => {
          received += bytes;
        },
      });
      // Each gap may end within a piece.
      expect(received).toBeLessThan(server.blob.size - stored + (connections + 1) * 2 * pieceBytes);
      const expected = [bytesOf(server.blob).subarray(fedFrom), Buffer.from("end")];
      expect(Buffer.concat(fed).equals(Buffer.concat(expected))).toBe(true);
      await expectStored(cache);
    },
  );

  it("is followed in order by another process", async () => {
    await serve({ size: 24 * MiB, bytesPerSecond: 20e6 });
    const child = start();
    await once(child.process.stdout ?? child.process, "data");
    const cache = newCache();
    const follower = await cache.followMote(descriptor(server).digest, { verifyOnRead: false });
    const chunks: Uint8Array[] = [];
    for await (const chunk of follower ?? []) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytesOf(server.blob))).toBe(true);
    await child.ended;
    expect(server.sentBytes).toBe(server.blob.size);
  });
});

describe("a process that is killed while it fetches ranges", () => {
  const kills = Number(process.env.KILLS ?? 8);
  const title = `loses at most 1 MiB of each connection, at any moment, to ranges and to one stream (${kills} kills)`;
  it(title, { timeout: 60_000 + kills * 3_000 }, async () => {
    let onSent = (_bytes: number) => {};
    await serve({ size: 24 * MiB, bytesPerSecond: 30e6, onSent: (bytes) => onSent(bytes) });
    let random = 12345;
    for (let kill = 0; kill < kills; kill++) {
      random = (random * 1103515245 + 12345) % 2 ** 31;
      const before = server.sentBytes;
      const at = Math.floor((random / 2 ** 31) * 22 * MiB) + MiB;
      const child = start();
      onSent = (bytes) => {
        if (bytes - before >= at) child.process.kill("SIGKILL");
      };
      const { received } = await child.ended;
      onSent = () => {};
      const requests = server.requests.length;
      const cache = new FileCache(root);
      const ended = await fetch(cache, kill % 2 === 0 ? {} : { parallel: undefined });
      expect(ended).toBe(undefined);
      const stored = server.blob.size - requestedSince(requests);
      expect([at, received - stored]).toEqual([at, expect.toSatisfy((lost: number) => lost <= connections * MiB)]);
      expect(stored).toBeLessThanOrEqual(received);
      await expectStored(cache);
      await cache.removeMote(descriptor(server).digest);
      await cache[Symbol.asyncDispose]();
    }
  });
});

const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;
describe.skipIf(!canMount)(
  `on a full disk${canMount ? "" : " (skipped: needs unshare of util-linux, and to be root)"}`,
  () => {
    it("ranges end in MOTE_NO_SPACE, and their space is freed", async () => {
      await serve({ size: 12 * MiB });
      mkdirSync(root, { recursive: true });
      const script = `mount -t tmpfs -o size=6m none "${root}"; exec "$0" "$@"`;
      const task = [process.execPath, ...parameters()];
      const { stdout } = await promisify(execFile)("unshare", ["-rm", "sh", "-ec", script, ...task]);
      expect(stdout.trim().split("\n").slice(-2)).toEqual(["MOTE_NO_SPACE", "[]"]);
    });
  },
);

/** The bytes of the ranges that were requested after this many requests. */
function requestedSince(requests: number): number {
  return server.requests
    .slice(requests)
    .reduce(
      (sum, { range }) => sum + Math.min(range?.end ?? server.blob.size, server.blob.size) - (range?.start ?? 0),
      0,
    );
}

function parameters(): string[] {
  const { image, blob } = server;
  return [program, root, image, blob.digest, String(blob.size), String(connections), String(MiB)];
}

/** Starts a process that fetches the blob. */
function start(): { readonly process: ChildProcess; readonly ended: Promise<{ readonly received: number }> } {
  const child = spawn(process.execPath, parameters(), { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
  });
  const ended = once(child, "close").then(() => ({
    received: Number(
      text
        .split("\n")
        .filter((line) => /^\d+$/.test(line))
        .at(-1) ?? 0,
    ),
  }));
  return { process: child, ended };
}
