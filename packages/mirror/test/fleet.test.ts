import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BlobOptions,
  type Descriptor,
  type Digest,
  type FetchLeases,
  joinChunks,
  MemoryFetchLeases,
  MoteError,
  type MoteReader,
  silentLogger,
} from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FleetMembers, Mirror, type MirrorOptions } from "../src/index.js";
import { pausedAt, TestUpstream } from "./test-upstream.js";

const layer = randomBytes(1024 * 1024);
const cutAt = 300_000;
const other = "http://other.example:5000";

let root: string;
let upstream: TestUpstream;
let leases: MemoryFetchLeases;
let members: TestMembers;
let opened: AsyncDisposable[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-fleet-"));
  upstream = new TestUpstream();
  leases = new MemoryFetchLeases();
  members = new TestMembers();
  opened = [];
});
afterEach(async () => {
  for (const each of opened) await each[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** The other members, which answer from their folders, or as a test says. */
class TestMembers implements FleetMembers {
  readonly caches = new Map<string, FileCache>();
  readonly answers = new Map<string, (start: number) => AsyncIterable<Uint8Array>>();
  /** As `URL START`. */
  readonly requests: string[] = [];

  async blob(member: string, { digest, ...info }: Descriptor, options: BlobOptions): Promise<MoteReader> {
    const { start = 0, signal } = options;
    this.requests.push(`${member} ${start}`);
    const chunks =
      this.answers.get(member)?.(start) ?? (await this.caches.get(member)?.followMote(digest, { start, signal }));
    if (chunks === undefined) throw new MoteError("MOTE_NOT_FOUND", `${member} does not have ${digest}`);
    const close = async () => {};
    return {
      info: { digest, ...info },
      close,
      [Symbol.asyncDispose]: close,
      [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator](),
    };
  }
}

function newMember(url: string, options: Partial<MirrorOptions> & { readonly leases?: FetchLeases } = {}) {
  const cache = new FileCache(join(root, String(opened.length)), { durability: "visible" });
  const fleet = { leases: options.leases ?? leases, url, members };
  const mirror = new Mirror({ upstreams: [upstream], cache, tags: cache.tags, fleet, ...options });
  members.caches.set(url, cache);
  opened.push(mirror, cache);
  const open = async (digest: Digest) => {
    const repository = mirror.repository("org/app");
    if (repository === undefined) throw new Error("no upstream");
    return (await mirror.blob(repository, digest)).read();
  };
  const image = async (tag: string) => {
    const repository = mirror.repository("org/app");
    if (repository === undefined) throw new Error("no upstream");
    return (await mirror.manifest(repository, tag)).bytes;
  };
  return { url, mirror, cache, open, image, read: async (digest: Digest) => bytesOf(open(digest)) };
}

async function bytesOf(reader: Promise<AsyncIterable<Uint8Array>>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await reader) chunks.push(chunk);
  return joinChunks(chunks);
}

function blobRequests(): string[] {
  return upstream.requests
    .filter((request) => request.startsWith("blob "))
    .map((request) => request.split(" ")[2] ?? "");
}

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("a fleet", () => {
  it("fetches each manifest and blob once for 32 clients of four members, who all read while it arrives", async () => {
    const image = upstream.addImage("1", layer);
    const fleet = [1, 2, 3, 4].map((at) => newMember(`http://member-${at}.example`));
    const clients = Array.from({ length: 32 }, (_, at) => fleet[at % fleet.length] ?? newMember("none"));
    await Promise.all(clients.map((member) => member.image("1")));
    const { opened, open } = gate();
    upstream.chunks = pausedAt(cutAt, () => opened);
    let reading = 0;
    const bodies = await Promise.all(
      clients.map(async (member) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of await member.open(image.layer.digest)) {
          if (chunks.push(chunk) === 1 && ++reading === clients.length) open();
        }
        return joinChunks(chunks);
      }),
    );
    for (const body of bodies) expect(Buffer.compare(body, layer)).toBe(0);
    expect(upstream.count("manifest")).toBe(1);
    expect(blobRequests()).toEqual(["0"]);
    const received = fleet.flatMap(({ mirror }) => mirror.fleet?.members ?? []);
    expect(received.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)).toBe(
      3 * (layer.byteLength + image.manifest.size),
    );
  });

  it("continues at the byte where the holder failed, with one of the others, whom the rest follow", async () => {
    const { digest } = upstream.addBlob(layer);
    const [leader, second, third] = [1, 2, 3].map((at) => newMember(`http://member-${at}.example`));
    if (leader === undefined || second === undefined || third === undefined) throw new Error("no members");
    const reached = gate();
    let isFirst = true;
    upstream.chunks = (bytes, start) => {
      const isLeaders = isFirst;
      isFirst = false;
      return pausedAt(cutAt, async () => {
        if (!isLeaders) return;
        await reached.opened;
        throw new MoteError("MOTE_UNREACHABLE", "the upstream has closed the connection");
      })(bytes, start);
    };
    const leading = leader.read(digest);
    leading.catch(() => {});
    await expect.poll(() => leader.mirror.fills[0]?.bytes).toBe(cutAt);
    const following = [second, third].map((member) => member.read(digest));
    await expect.poll(() => [second, third].map(({ mirror }) => mirror.fills[0]?.bytes)).toEqual([cutAt, cutAt]);
    reached.open();
    await expect(leading).rejects.toThrow();
    for (const body of await Promise.all(following)) expect(Buffer.compare(body, layer)).toBe(0);
    expect(blobRequests()).toEqual(["0", String(cutAt)]);
  });

  it("tells the others that a blob is stored, and lets them fetch what failed", async () => {
    const [good, bad] = [upstream.addBlob(layer), upstream.addBlob(randomBytes(1000))];
    const member = newMember("http://member-1.example");
    await member.read(good.digest);
    upstream.before = () => {
      throw new MoteError("MOTE_UNREACHABLE", "the upstream is down");
    };
    await expect(member.read(bad.digest)).rejects.toThrow();
    await member.mirror.close();
    const acquire = ({ digest }: Descriptor) => leases.acquire(digest, other, { durationMs: 1000 });
    expect(await acquire(good)).toMatchObject({ holder: member.url, isStored: true });
    expect(await acquire(bad)).toMatchObject({ holder: other });
  });

  it("tells so after a renewal that was on its way, which would shorten the lease", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const { digest } = upstream.addBlob(layer);
      const [fetched, renewed] = [gate(), gate()];
      upstream.chunks = pausedAt(cutAt, () => fetched.opened);
      const durations: number[] = [];
      const renew = leases.renew.bind(leases);
      vi.spyOn(leases, "renew").mockImplementation(async (lease, options) => {
        if (options.isStored === undefined) await renewed.opened;
        durations.push(options.durationMs);
        return renew(lease, options);
      });
      const member = newMember("http://member-1.example");
      const reading = member.read(digest);
      await expect.poll(() => member.mirror.fills[0]?.bytes).toBe(cutAt);
      vi.advanceTimersByTime(5_000);
      fetched.open();
      await reading;
      await expect.poll(() => member.mirror.fills).toEqual([]);
      renewed.open();
      await member.mirror.close();
      expect(durations).toEqual([15_000, 86_400_000]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("fetches a blob again if its holder has removed it", async () => {
    const { digest } = upstream.addBlob(layer);
    const [first, second] = [newMember("http://member-1.example"), newMember("http://member-2.example")];
    await first.read(digest);
    await first.mirror.close();
    await first.cache.removeMote(digest);
    expect(Buffer.compare(await second.read(digest), layer)).toBe(0);
    expect(blobRequests()).toEqual(["0", "0"]);
  });

  it("reads from the tier what a holder that has failed had stored", async () => {
    const { digest, ...info } = upstream.addBlob(layer);
    const first = newMember("http://member-1.example");
    await first.read(digest);
    await first.mirror.close();
    members.answers.set(first.url, failing(new MoteError("MOTE_UNREACHABLE", "connection refused")));
    const followed = new Set<Digest>();
    const fleet = { leases, url: "http://member-2.example", members, tier: first.cache, followed };
    const second = newMember("http://member-2.example", { fleet });
    expect(Buffer.compare(await second.read(digest), layer)).toBe(0);
    expect([info.size, blobRequests()]).toEqual([layer.byteLength, ["0"]]);
  });

  it("only costs a fetch if the leases are lost meanwhile", async () => {
    const { digest } = upstream.addBlob(layer);
    const { opened: resumed, open } = gate();
    upstream.chunks = pausedAt(cutAt, () => resumed);
    const first = newMember("http://member-1.example");
    const second = newMember("http://member-2.example", { leases: new MemoryFetchLeases() });
    const reading = [first, second].map((member) => member.read(digest));
    await expect.poll(() => blobRequests().length).toBe(2);
    open();
    for (const body of await Promise.all(reading)) expect(Buffer.compare(body, layer)).toBe(0);
  });
});

describe("a member that holds a lease", () => {
  const wrong = randomBytes(layer.byteLength);

  it.each([
    ["is cut, and then does not respond", [sending(layer, cutAt), failing(unreachable())], ["0", `${cutAt}`], cutAt],
    ["sends nothing for too long", [sending(layer, cutAt, new MoteError("MOTE_TIMEOUT", "silent"))], ["0"], cutAt],
    ["neither has the blob nor fetches it", [failing(new MoteError("MOTE_NOT_FOUND", "no"))], ["0"], 0],
    ["ends too early", [ending(layer, cutAt), failing(unreachable())], ["0", `${cutAt}`], cutAt],
    ["does not end", [endless(layer), endless(layer)], ["0", `${layer.byteLength - 1}`], layer.byteLength - 1],
    ["sends wrong bytes", [ending(wrong, wrong.byteLength)], ["0"], 0],
    ["sends some wrong bytes", [sending(wrong, cutAt), failing(unreachable())], ["0", `${cutAt}`], 0],
  ])("and %s is replaced", async (_, answers, asked, continuedAt) => {
    const { digest } = upstream.addBlob(layer);
    await leases.acquire(digest, other, { durationMs: 60_000 });
    const left = [...answers];
    members.answers.set(other, (start) => (left.shift() ?? failing(unreachable()))(start));
    const member = newMember("http://member-1.example");
    // Clients that got wrong bytes try again, and may be as fast as the fetch.
    let body: Uint8Array | undefined;
    while (body === undefined) body = await member.read(digest).catch(() => undefined);
    expect(Buffer.compare(body, layer)).toBe(0);
    expect(members.requests).toEqual(asked.map((start) => `${other} ${start}`));
    expect(blobRequests().at(-1)).toBe(String(continuedAt));
    expect(await leases.acquire(digest, other, { durationMs: 1000 })).toMatchObject({ holder: member.url });
  });

  it("is requested again, and not replaced, if only its connection was interrupted", async () => {
    const { digest } = upstream.addBlob(layer);
    await leases.acquire(digest, other, { durationMs: 60_000 });
    members.answers.set(other, (start) =>
      (start === 0 ? sending(layer, cutAt) : ending(layer, layer.byteLength))(start),
    );
    expect(Buffer.compare(await newMember("http://member-1.example").read(digest), layer)).toBe(0);
    expect(upstream.requests).not.toContain(`blob ${digest} ${cutAt}`);
  });

  it("and cannot be reached gets no further requests until a trial succeeds", async () => {
    const blobs = Array.from({ length: 5 }, () => upstream.addBlob(randomBytes(1000)));
    for (const { digest } of blobs) await leases.acquire(digest, other, { durationMs: 60_000 });
    members.answers.set(other, failing(unreachable()));
    const member = newMember("http://member-1.example");
    for (const { digest } of blobs) await member.read(digest);
    expect([members.requests.length, blobRequests().length]).toEqual([3, 5]);
    for (const { digest } of blobs) {
      expect(await leases.acquire(digest, other, { durationMs: 1000 })).toMatchObject({ holder: member.url });
    }
  });

  it("gets no more requests after it was interrupted many times", async () => {
    const { digest } = upstream.addBlob(layer);
    await leases.acquire(digest, other, { durationMs: 60_000 });
    members.answers.set(other, (start) => sending(layer, start + 1)(start));
    expect(Buffer.compare(await newMember("http://member-1.example").read(digest), layer)).toBe(0);
    expect(members.requests).toHaveLength(8);
    expect(blobRequests()).toEqual(["8"]);
  });
});

it.each([new MoteError("MOTE_UNREACHABLE", "Redis is down"), new TypeError("fetch failed")])(
  "without a store of leases (%s), members fetch on their own after one warning",
  async (error) => {
    const warn = vi.fn();
    const acquire = vi.fn(() => Promise.reject(error));
    const failing = {
      acquire,
      renew: acquire,
      release: acquire,
      secret: acquire,
      [Symbol.asyncDispose]: async () => {},
    };
    const member = newMember("http://member-1.example", { leases: failing, logger: { ...silentLogger, warn } });
    const blobs = Array.from({ length: 5 }, () => randomBytes(1000));
    for (const bytes of blobs) {
      expect(Buffer.compare(await member.read(upstream.addBlob(bytes).digest), bytes)).toBe(0);
    }
    expect(acquire).toHaveBeenCalledTimes(3);
    expect(warn).toHaveBeenCalledOnce();
  },
);

type Answer = (start: number) => AsyncIterable<Uint8Array>;

function unreachable(): MoteError {
  return new MoteError("MOTE_UNREACHABLE", "connection refused");
}

function failing(error: Error): Answer {
  return () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) });
}

/** Sends the bytes before `end`, and fails. */
function sending(bytes: Uint8Array, end: number, error: Error = unreachable()): Answer {
  return async function* (start) {
    yield bytes.slice(start, end);
    throw error;
  };
}

function ending(bytes: Uint8Array, end: number): Answer {
  return async function* (start) {
    yield bytes.slice(start, end);
  };
}

function endless(bytes: Uint8Array): Answer {
  return async function* (start) {
    yield bytes.slice(start, -1);
    for (;;) yield new Uint8Array(2);
  };
}
