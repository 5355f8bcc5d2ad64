import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, joinChunks, MemoryFetchLeases, MoteError, mediaTypes } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FleetMembers, Mirror, type MirrorOptions } from "../src/index.js";
import { pausedAt, TestUpstream } from "./test-upstream.js";

const rangeBytes = 256 * 1024;
const layer = randomBytes(4 * rangeBytes);
const starts = [0, 1, 2, 3].map((at) => at * rangeBytes);

let root: string;
let upstream: TestUpstream;
let digest: Digest;
let opened: AsyncDisposable[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-ranges-"));
  upstream = new TestUpstream();
  upstream.servesRanges = true;
  ({ digest } = upstream.addBlob(layer));
  opened = [];
});
afterEach(async () => {
  for (const each of opened) await each[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** Opens a mirror with a folder of its own, which reads all blobs over four connections. */
function newMirror(options: Partial<MirrorOptions> = {}) {
  const folder = join(root, String(opened.length));
  const cache = new FileCache(folder, { durability: "visible" });
  const count = { connections: 4, rangeBytes, received() {}, failed() {} };
  const parallelFetches = (source: Parameters<NonNullable<MirrorOptions["parallelFetches"]>>[0]) =>
    source.servesRanges ? { source, count, onEnd() {} } : undefined;
  const mirror = new Mirror({ upstreams: [upstream], cache, tags: cache.tags, parallelFetches, ...options });
  opened.push(mirror, cache);
  const open = async (range = {}) => {
    const repository = mirror.repository("org/app");
    if (repository === undefined) throw new Error("no upstream");
    return (await mirror.blob(repository, digest)).read(range);
  };
  const read = async (range = {}): Promise<Uint8Array> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await open(range)) chunks.push(chunk);
    return joinChunks(chunks);
  };
  return { folder, cache, mirror, open, read };
}

/** The first bytes of the requests for the blob, sorted. */
const requested = () =>
  upstream.requests
    .filter((request) => request.startsWith("blob "))
    .map((request) => Number.parseInt(request.split(" ")[2] ?? "", 10))
    .toSorted((a, b) => a - b);

describe("a blob that is fetched in ranges", () => {
  it("is stored, and read from the growing file by all clients", async () => {
    const { cache, read } = newMirror();
    const bodies = await Promise.all(Array.from({ length: 16 }, () => read()));
    for (const body of bodies) expect(Buffer.compare(body, layer)).toBe(0);
    expect(requested()).toEqual(starts);
    expect(await cache.moteExists(digest)).toBe(true);
  });

  it("gives a client a part of it only when no byte before is missing", async () => {
    let open = () => {};
    const first = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { mirror, read } = newMirror();
    upstream.chunks = (bytes, start) =>
      pausedAt(100_000, () => (start === 0 ? first : Promise.resolve()))(bytes, start);
    const all = read();
    const missing = rangeBytes - 100_000;
    await expect.poll(() => mirror.fills[0]?.bytes, { timeout: 20_000 }).toBe(layer.byteLength - missing);
    expect(Buffer.compare(await read({ start: 10, end: 90_000 }), layer.subarray(10, 90_000))).toBe(0);
    expect(upstream.count("range")).toBe(0);
    expect(Buffer.compare(await read({ start: 300_000, end: 300_100 }), layer.subarray(300_000, 300_100))).toBe(0);
    expect(upstream.requests).toContain(`range ${digest} 300000-300100`);
    open();
    expect(Buffer.compare(await all, layer)).toBe(0);
  });

  it("is continued if further connections are refused, which does not count against the upstream", async () => {
    let refused = 0;
    upstream.before = (request) => {
      if (!request.startsWith("blob ") || request.includes(" 0-") || refused === 5) return;
      refused++;
      throw new MoteError("MOTE_RATE_LIMITED", "too many connections", { details: { retryAfterMs: 60_000 } });
    };
    const { mirror, read } = newMirror();
    expect(Buffer.compare(await read(), layer)).toBe(0);
    expect(refused).toBe(5);
    expect(mirror.upstreams).toMatchObject([{ state: "closed" }]);
  });

  it.each([
    ["continued for a client that read right bytes", "suspend", layer],
    ["not completed for a client that read wrong bytes", "abort", Buffer.from(layer).reverse()],
  ] as const)("is %s of another writer, which has ended", async (_, end, bytes) => {
    const half = 2 * rangeBytes;
    const { folder, cache, mirror, open } = newMirror();
    await using other = new FileCache(folder, { durability: "visible" });
    const writer = await other.leadMote({ digest, size: layer.byteLength, mediaType: mediaTypes.octetStream });
    await writer?.write(bytes.subarray(0, half));
    let received = 0;
    const chunks: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of await open()) {
        chunks.push(chunk.slice());
        received += chunk.byteLength;
      }
    })();
    reading.catch(() => {});
    await expect.poll(() => received, { timeout: 20_000 }).toBe(half);
    await writer?.[end]();
    if (bytes === layer) {
      await reading;
      expect(Buffer.compare(joinChunks(chunks), layer)).toBe(0);
    } else await expect(reading).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    await expect.poll(() => mirror.fills, { timeout: 20_000 }).toEqual([]);
    expect(await cache.moteExists(digest)).toBe(true);
    expect(upstream.count("blob")).toBe(bytes === layer ? 2 : 4);
  });

  it("is passed through if the cache cannot store it", async () => {
    const { cache, read } = newMirror();
    cache.leadMote = () => Promise.reject(new MoteError("MOTE_NO_SPACE", "the disk is full"));
    expect(Buffer.compare(await read(), layer)).toBe(0);
    expect(await cache.moteExists(digest)).toBe(false);
  });
});

describe("a fleet", () => {
  const caches = new Map<string, FileCache>();
  /** Where a member that does not exist stops to send the blob; undefined if it is not reached. */
  let cutAt: number | undefined;
  let asked: string[];
  const members: FleetMembers = {
    async blob(member, info, { start = 0, signal }) {
      asked.push(member);
      const end = cutAt;
      cutAt = undefined;
      const chunks =
        end === undefined
          ? await caches.get(member)?.followMote(info.digest, { start, signal })
          : (async function* () {
              yield layer.subarray(start, end);
              throw new MoteError("MOTE_UNREACHABLE", "the connection was cut");
            })();
      if (chunks === undefined) throw new MoteError("MOTE_UNREACHABLE", "connection refused");
      const close = async () => {};
      const iterator = () => chunks[Symbol.asyncIterator]();
      return { info, close, [Symbol.asyncDispose]: close, [Symbol.asyncIterator]: iterator };
    },
  };
  const newMember = (url: string, leases: MemoryFetchLeases) => {
    const member = newMirror({ fleet: { leases, url, members } });
    caches.set(url, member.cache);
    return member;
  };

  beforeEach(() => {
    caches.clear();
    cutAt = undefined;
    asked = [];
  });

  it("fetches a blob in ranges by one of three members, whom the others follow", async () => {
    const leases = new MemoryFetchLeases();
    const fleet = [1, 2, 3].map((at) => newMember(`http://member-${at}.example`, leases));
    const bodies = await Promise.all([...fleet, ...fleet].map(({ read }) => read()));
    for (const body of bodies) expect(Buffer.compare(body, layer)).toBe(0);
    expect(requested()).toEqual(starts);
    expect(new Set(asked).size).toBe(1);
  });

  it("reads in one stream what a holder sends, and then from the upstream what that has not sent", async () => {
    const leases = new MemoryFetchLeases();
    await leases.acquire(digest, "http://other.example", { durationMs: 60_000 });
    cutAt = 300_000;
    const { read } = newMember("http://member-1.example", leases);
    expect(Buffer.compare(await read(), layer)).toBe(0);
    expect(requested()).toEqual([300_000]);
  });
});
