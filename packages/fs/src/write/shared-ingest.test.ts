import fs, {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digester, digestBytes, MoteError, type MoteFollower, type ResumableWriter, writeMote } from "@mote/core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FileCache } from "../index.js";

const bytes = new Uint8Array(1_000_000).map((_, n) => (n * 7) ^ (n >> 8));
const mote = { digest: digestBytes(bytes), mediaType: "application/octet-stream", size: bytes.byteLength };
let root: string;
let cache: FileCache;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-ingest-"));
  cache = new FileCache(root);
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const ingested = () => readdirSync(join(root, ".mote/ingest"));
const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
async function fill(writer: ResumableWriter, end = bytes.byteLength) {
  for (let at = writer.offset; at < end; at += 10_000)
    await writer.write(bytes.subarray(at, Math.min(end, at + 10_000)));
}
async function collect(follower: MoteFollower | undefined) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of follower ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}
async function lead(): Promise<ResumableWriter> {
  const writer = await cache.leadMote(mote);
  if (writer === undefined) throw new Error("another writer leads");
  return writer;
}

it("a suspended write is resumed at its offset, in another cache too", async () => {
  for (const cut of [0, 0.1, 0.5, 0.9, 1]) {
    const end = Math.floor(cut * bytes.byteLength);
    const first = await cache.resumeMote(mote);
    await fill(first, end);
    await first.suspend();
    expect(await cache.moteExists(mote.digest)).toBe(false);
    await using other = new FileCache(root);
    const second = await other.resumeMote(mote);
    expect(second.offset).toBe(end);
    await fill(second);
    await second.close();
    expect((await cache.find(mote.digest))?.size).toBe(bytes.byteLength);
    expect(ingested()).toEqual([]);
    await cache.removeMote(mote.digest);
  }
});

it("an aborted resumable write leaves nothing", async () => {
  const writer = await cache.resumeMote(mote);
  await fill(writer, 500_000);
  await writer.abort();
  expect(ingested()).toEqual([]);
  expect((await cache.resumeMote(mote)).offset).toBe(0);
});

it("an aborted caller can suspend what it received", async () => {
  const caller = new AbortController();
  const writer = await cache.resumeMote(mote, { signal: caller.signal });
  await fill(writer, 500_000);
  caller.abort(new RangeError("enough"));
  await expect(writer.write(bytes.subarray(500_000))).rejects.toBeInstanceOf(RangeError);
  await writer.suspend();
  expect((await cache.resumeMote(mote)).offset).toBe(500_000);
});

it("an unfinished write can be resumed after the cache was disposed of", async () => {
  await fill(await cache.resumeMote(mote), 300_000);
  await cache[Symbol.asyncDispose]();
  await using next = new FileCache(root);
  expect((await next.resumeMote(mote)).offset).toBe(300_000);
});

it("a damaged ingest file is rejected, and the next write starts from the beginning", async () => {
  const first = await cache.resumeMote(mote);
  await fill(first, 500_000);
  await first.suspend();
  const [part = ""] = ingested();
  truncateSync(join(root, ".mote/ingest", part), 400_000);
  writeFileSync(join(root, ".mote/ingest", part), "damage", { flag: "r+" });
  const second = await cache.resumeMote(mote);
  await fill(second);
  await expect(second.close().catch(code)).resolves.toBe("MOTE_DIGEST_MISMATCH");
  const third = await cache.resumeMote(mote);
  expect(third.offset).toBe(0);
  await fill(third);
  await third.close();
});

it("prune keeps unfinished writes within their limits, and prune(0) removes them", async () => {
  const writer = await cache.resumeMote(mote);
  await fill(writer, 500_000);
  await writer.suspend();
  await cache.prune(600_000);
  expect(ingested().length).toBe(1);
  await cache.prune(0);
  expect(ingested()).toEqual([]);
});

it("one of several callers writes, and the others follow", async () => {
  const writer = await lead();
  expect(await cache.leadMote(mote)).toBe(undefined);
  await using other = new FileCache(root);
  expect(await other.leadMote(mote)).toBe(undefined);
  const followers = [cache, other].map(async (each) => collect(await each.followMote(mote.digest)));
  const late = collect(await other.followMote(mote.digest, { start: 123_456 }));
  await fill(writer);
  await writer.close();
  for (const whole of await Promise.all(followers)) expect(whole.equals(bytes)).toBe(true);
  expect((await late).equals(bytes.subarray(123_456))).toBe(true);
  expect(await cache.leadMote(mote)).toBe(undefined);
  expect((await collect(await cache.followMote(mote.digest))).equals(bytes)).toBe(true);
  expect(ingested()).toEqual([]);
});

it("a follower reads bytes before the commit, and ends only after it", async () => {
  const writer = await lead();
  await writer.write(bytes.subarray(0, 10));
  await using follower = await cache.followMote(mote.digest);
  const chunks = follower?.[Symbol.asyncIterator]();
  expect((await chunks?.next())?.value?.byteLength).toBe(10);
  await writer.write(bytes.subarray(10));
  let came = 10;
  while (came < bytes.byteLength) came += (await chunks?.next())?.value?.byteLength ?? 0;
  const end = chunks?.next();
  const first = await Promise.race([end, writer.close().then(() => "committed")]);
  expect(first).toBe("committed");
  expect((await end)?.done).toBe(true);
});

it("a follower fails when the writer aborts, and the next writer resumes its bytes", async () => {
  const writer = await lead();
  await fill(writer, 500_000);
  const follower = collect(await cache.followMote(mote.digest));
  await writer.suspend();
  await expect(follower.catch(code)).resolves.toBe("MOTE_WRITER_GONE");
  const next = await lead();
  expect(next.offset).toBe(500_000);
  await fill(next);
  await next.close();
});

it("a follower with reuse has one memory for all chunks", async () => {
  const writer = await lead();
  await writer.write(bytes.subarray(0, 10));
  await using follower = await cache.followMote(mote.digest, { verifyOnRead: false, reuse: true });
  const read: Uint8Array[] = [];
  const memory = new Set<ArrayBufferLike>();
  for await (const chunk of follower ?? []) {
    read.push(chunk.slice());
    memory.add(chunk.buffer);
    if (read.length > 1) continue;
    await writer.write(bytes.subarray(10));
    await writer.close();
  }
  expect(Buffer.concat(read).equals(bytes)).toBe(true);
  expect([read.length > 1, memory.size]).toEqual([true, 1]);
});

it.each(["suspend", "abort"] as const)(
  "a follower whose writer ends with %s passes on the hash of what it has read",
  async (end) => {
    for (const verifyOnRead of [true, false]) {
      const writer = await lead();
      await fill(writer, 500_000);
      const hashes: string[] = [];
      const onGone = async (hash: () => Promise<Digester>) => {
        hashes.push((await hash()).digest());
      };
      await using follower = await cache.followMote(mote.digest, { verifyOnRead, onGone });
      let length = 0;
      const following = (async () => {
        for await (const chunk of follower ?? []) length += chunk.byteLength;
      })();
      while (length < 500_000) await new Promise(setImmediate);
      await writer[end]();
      await expect(following.catch(code)).resolves.toBe("MOTE_WRITER_GONE");
      expect(hashes).toEqual([digestBytes(bytes.subarray(0, 500_000))]);
      await cache.prune(0);
    }
  },
);

it("a follower on a network file system hashes what it reads itself", async () => {
  const nfs = 0x6969;
  vi.spyOn(fs, "statfsSync").mockReturnValue({ type: nfs } as fs.StatsFs);
  syncBuiltinESMExports();
  await using shared = new FileCache(root);
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  const writer = await lead();
  await fill(writer, 500_000);
  const path = join(root, ".mote/ingest", ingested()[0] ?? "");
  const put = (first: Uint8Array) => {
    const fd = openSync(path, "r+");
    writeSync(fd, first, 0, first.byteLength, 0);
    closeSync(fd);
  };
  // As if this machine still had zeros in its page cache.
  put(new Uint8Array(1000));
  await using follower = await shared.followMote(mote.digest, { verifyOnRead: false });
  let length = 0;
  const following = (async () => {
    for await (const chunk of follower ?? []) length += chunk.byteLength;
  })();
  following.catch(() => {});
  await expect.poll(() => length, { timeout: 20_000 }).toBe(500_000);
  put(bytes.subarray(0, 1000));
  await writer.write(bytes.subarray(500_000));
  await writer.close();
  await expect(following.catch(code)).resolves.toBe("MOTE_CORRUPT");
});

it("a small blob is led, but leaves no file when its writer is suspended or killed", async () => {
  const small = bytes.subarray(0, 1000);
  const smallMote = { ...mote, digest: digestBytes(small), size: small.byteLength };
  const writer = await cache.leadMote(smallMote);
  expect(await cache.leadMote(smallMote)).toBe(undefined);
  await writer?.write(small.subarray(0, 10));
  expect(ingested()).toEqual([expect.stringMatching(/\.tmp$/)]);
  await writer?.suspend();
  expect(ingested()).toEqual([]);
  const next = await cache.leadMote(smallMote);
  expect(next?.offset).toBe(0);
  await next?.write(small);
  await next?.close();
  expect(ingested()).toEqual([]);
  expect(readdirSync(join(root, ".mote/leads"))).toEqual([]);
});

it("a writer releases its own lock, and not that of the process that evicted it", async () => {
  const leads = () => readdirSync(join(root, ".mote/leads"));
  await (await lead()).abort();
  expect(leads()).toEqual([]);
  const silent = await lead();
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 40_000);
  const next = await lead();
  await silent.abort();
  expect(leads().length).toBe(1);
  await next.abort();
  expect(leads()).toEqual([]);
});

it("there is no follower without a writer", async () => {
  expect(await cache.followMote(mote.digest)).toBe(undefined);
});

it("a damaged blob is quarantined when it is rewritten, and no follower reads it", async () => {
  const first = await lead();
  await fill(first);
  await first.close();
  const path = cache.moteRef(mote.digest);
  chmodSync(path, 0o644);
  writeFileSync(path, bytes.toReversed());
  const writer = await lead();
  expect(await cache.moteExists(mote.digest)).toBe(false);
  await fill(writer, 500_000);
  const following = [0, 10].map(async (start) => collect(await cache.followMote(mote.digest, { start })));
  await writer.write(bytes.subarray(500_000));
  await writer.close();
  const [whole, rest] = await Promise.all(following);
  expect([whole?.equals(bytes), rest?.equals(bytes.subarray(10))]).toEqual([true, true]);
});

it("a follower of a writer with other bytes than the committed blob fails", async () => {
  const writer = await lead();
  await writer.write(bytes.toReversed().subarray(0, 500_000));
  await using follower = await cache.followMote(mote.digest, { start: 10 });
  const chunks = follower?.[Symbol.asyncIterator]();
  expect((await chunks?.next())?.done).toBe(false);
  await cache.createMote(mote.digest, mote.mediaType, mote.size);
  await using other = await cache.moteWriter(mote.digest);
  await other.write(bytes);
  await other.close();
  const rest = (async () => {
    while (!(await chunks?.next())?.done);
  })();
  expect(await rest.then(() => "none", code)).toBe("MOTE_DIGEST_MISMATCH");
  await writer.abort();
});

it("a writer on a slow disk still renews its lock", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const writer = await lead();
  await fill(writer);
  const { fdatasync } = fs;
  let go = () => {};
  const syncing = new Promise<void>((resolve) => {
    vi.spyOn(fs, "fdatasync").mockImplementationOnce((fd, done) => {
      go = () => fdatasync(fd, done);
      resolve();
    });
  });
  const closing = writer.close();
  await syncing;
  const part = join(root, ".mote/ingest", ingested()[0] ?? "");
  const changed = statSync(part).ctimeMs;
  while (statSync(part).ctimeMs === changed) {
    vi.advanceTimersByTime(10_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  go();
  await closing;
});

it("no process waits for another container until a clock that was set back catches up", async () => {
  await cache.initialize();
  const name = `${mote.digest.replace(":", "-")}.1-1-elsewhere-1.0.part`;
  writeFileSync(join(root, ".mote/ingest", name), "");
  writeFileSync(join(root, ".mote/leads", mote.digest.replace(":", "-")), name);
  expect(await cache.leadMote(mote)).toBe(undefined);
  const dayBefore = Date.now() - 24 * 3_600_000;
  vi.spyOn(Date, "now").mockReturnValue(dayBefore);
  const writer = await lead();
  await writer.abort();
});

it("the bytes of a silent writer are not fetched again, and it can still continue or abort", async () => {
  for (const end of ["close", "suspend"] as const) {
    const silent = await lead();
    await fill(silent, 500_000);
    const later = Date.now() + 40_000;
    vi.spyOn(Date, "now").mockReturnValue(later);
    const next = await lead();
    vi.restoreAllMocks();
    expect(next.offset).toBe(500_000);
    if (end === "close") await silent.write(bytes.subarray(500_000));
    await silent[end]();
    await fill(next);
    await next.close();
    const kept = await collect(await cache.followMote(mote.digest));
    expect(kept.equals(bytes)).toBe(true);
    expect(ingested()).toEqual([]);
    await cache.removeMote(mote.digest);
  }
});

it("an ingest file that is empty or whose blob is stored is removed", async () => {
  await cache.initialize();
  const orphan = (serial: number) => `${mote.digest.replace(":", "-")}.0-0-0-0.${serial}.part`;
  writeFileSync(join(root, ".mote/ingest", orphan(0)), "");
  writeFileSync(join(root, ".mote/ingest", orphan(1)), bytes.subarray(0, 10));
  await new FileCache(root).initialize();
  expect(ingested()).toEqual([orphan(1)]);
  await writeMote(cache, { digest: mote.digest, mediaType: mote.mediaType }, bytes);
  await new FileCache(root).initialize();
  expect(ingested()).toEqual([]);
});

it("an aborted follower rejects with the reason of the signal", async () => {
  const writer = await lead();
  const caller = new AbortController();
  const follower = collect(await cache.followMote(mote.digest, { signal: caller.signal }));
  caller.abort(new RangeError("enough"));
  await expect(follower).rejects.toBeInstanceOf(RangeError);
  await writer.abort();
});

it("a writer whose ingest file was removed still commits", async () => {
  const writer = await cache.resumeMote(mote);
  await fill(writer);
  for (const name of ingested()) rmSync(join(root, ".mote/ingest", name));
  await writer.close();
  expect(statSync(cache.moteRef(mote.digest)).size).toBe(bytes.byteLength);
});

it("a removed cache directory is created again at the next write", async () => {
  await cache.initialize();
  rmSync(root, { recursive: true });
  await writeMote(cache, { digest: mote.digest, mediaType: mote.mediaType }, bytes);
  expect((await cache.find(mote.digest))?.size).toBe(bytes.byteLength);
});
