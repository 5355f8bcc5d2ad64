import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, joinChunks, MoteError, type MoteReader, NilCache, type UpstreamRepository } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Mirror, type MirrorOptions } from "../src/index.js";
import { pausedAt, TestUpstream } from "./test-upstream.js";

const layer = randomBytes(1024 * 1024);
let root: string;
let upstream: TestUpstream;
let cache: FileCache;
let mirror: Mirror;
let nowMs: number;
let mirrors: Mirror[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-mirror-"));
  upstream = new TestUpstream();
  nowMs = Date.now();
  mirrors = [];
  cache = new FileCache(root, { durability: "visible" });
  mirror = newMirror();
});
afterEach(async () => {
  for (const each of mirrors) await each.close();
  await cache[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

function newMirror(options: Partial<MirrorOptions> = {}): Mirror {
  const made = new Mirror({ upstreams: [upstream], cache, tags: cache.tags, now: () => nowMs, ...options });
  mirrors.push(made);
  return made;
}

function repository(path = "org/app"): UpstreamRepository {
  const found = mirror.repository(path);
  if (found === undefined) throw new Error("no upstream");
  return found;
}

async function bytesOf(reader: Promise<MoteReader>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await reader) chunks.push(chunk);
  return joinChunks(chunks);
}

const read = async (digest = digestBytes(layer), range = {}) => (await mirror.blob(repository(), digest)).read(range);

describe("a blob that is not stored", () => {
  it("is requested once for sixteen clients, who all get it", async () => {
    const { digest } = upstream.addBlob(layer);
    const bodies = await Promise.all(Array.from({ length: 16 }, () => bytesOf(read(digest))));
    for (const body of bodies) expect(Buffer.compare(body, layer)).toBe(0);
    expect(upstream.count("blob")).toBe(1);
    expect(await cache.moteExists(digest)).toBe(true);
  });

  it("is requested once by two mirrors with one folder", async () => {
    const { digest } = upstream.addBlob(layer);
    const other = new FileCache(root, { durability: "visible" });
    const second = newMirror({ cache: other, tags: other.tags });
    const ofSecond = second.blob(repository(), digest).then((blob) => bytesOf(blob.read()));
    const bodies = await Promise.all([bytesOf(read(digest)), ofSecond]);
    for (const body of bodies) expect(Buffer.compare(body, layer)).toBe(0);
    expect(upstream.count("blob")).toBe(1);
    await second.close();
    await other[Symbol.asyncDispose]();
  });

  it.each(["MOTE_NOT_FOUND", "MOTE_CORRUPT"] as const)(
    "is fetched if it ends as %s when it was just found",
    async (code) => {
      const { digest } = upstream.addBlob(layer);
      await bytesOf(read(digest));
      const { info, read: open } = await mirror.blob(repository(), digest);
      vi.spyOn(cache, "moteReader").mockImplementationOnce(async () => {
        await cache.removeMote(info.digest);
        throw new MoteError(code, "removed by another process");
      });
      expect(Buffer.compare(await bytesOf(open()), layer)).toBe(0);
      expect(upstream.count("blob")).toBe(2);
    },
  );

  it("is handed out while it arrives", async () => {
    const { digest } = upstream.addBlob(layer);
    const { promise: received, resolve } = gate();
    upstream.chunks = pausedAt(300_000, () => received);
    let bytes = 0;
    for await (const chunk of await read(digest)) {
      bytes += chunk.byteLength;
      resolve();
    }
    expect(bytes).toBe(layer.byteLength);
  });

  it("is neither read to its end nor stored with wrong bytes", async () => {
    const { digest } = upstream.addBlob(layer);
    const wrong = Buffer.from(layer);
    wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
    upstream.blobs.set(digest, wrong);
    await expect(bytesOf(read(digest))).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    expect(await cache.moteExists(digest)).toBe(false);
    expect(mirror.upstreams).toMatchObject([{ name: "up.example", state: "closed" }]);
  });

  it("arrives completely although its first client disconnects", async () => {
    const { digest } = upstream.addBlob(layer);
    const { promise: gone, resolve } = gate();
    upstream.chunks = pausedAt(300_000, () => gone);
    const first = await read(digest);
    for await (const _ of first) break;
    await first.close();
    resolve();
    await vi.waitUntil(() => mirror.fills.length === 0, { timeout: 30_000 });
    expect(await cache.moteExists(digest)).toBe(true);
    expect(upstream.count("blob")).toBe(1);
  });

  it("is resumed at the byte where another mirror was closed", async () => {
    const { digest } = upstream.addBlob(layer);
    upstream.chunks = pausedAt(300_000, () => new Promise(() => {}));
    const other = newMirror();
    const first = await (await other.blob(repository(), digest)).read();
    for await (const _ of first) break;
    await other.close();
    upstream.chunks = pausedAt(0, async () => {});
    expect(Buffer.compare(await bytesOf(read(digest)), layer)).toBe(0);
    expect(upstream.requests.filter((request) => request.startsWith("blob "))).toEqual([
      `blob ${digest} 0`,
      `blob ${digest} 300000`,
    ]);
  });

  it("is handed out though the cache cannot store it", async () => {
    const { digest } = upstream.addBlob(layer);
    mirror = newMirror({ cache: new NilCache() });
    expect(Buffer.compare(await bytesOf(read(digest)), layer)).toBe(0);
  });

  it("is requested of a repository that has it, although another one's is stored", async () => {
    const { digest } = upstream.addBlob(layer);
    await bytesOf(read(digest));
    upstream.before = (request) => {
      if (request.startsWith("find")) throw new MoteError("MOTE_FORBIDDEN", "not yours");
    };
    await expect(mirror.blob(repository("org/private"), digest)).rejects.toMatchObject({ code: "MOTE_FORBIDDEN" });
  });
});

describe("a part of a blob that is not stored", () => {
  it("is requested alone, while the whole blob is fetched", async () => {
    const { digest } = upstream.addBlob(layer);
    const { promise: isRead, resolve } = gate();
    upstream.chunks = pausedAt(10_000, () => isRead);
    const part = await bytesOf(read(digest, { start: 500_000, end: 500_100 }));
    resolve();
    expect(Buffer.compare(part, layer.subarray(500_000, 500_100))).toBe(0);
    expect(upstream.requests).toContain(`range ${digest} 500000-500100`);
    await vi.waitUntil(() => cache.moteExists(digest), { timeout: 30_000 });
  });

  it("is read from the growing file if it is there", async () => {
    const { digest } = upstream.addBlob(layer);
    const { promise: isRead, resolve } = gate();
    upstream.chunks = pausedAt(300_000, () => isRead);
    const whole = read(digest).then(async (reader) => bytesOf(Promise.resolve(reader)));
    await vi.waitUntil(() => (mirror.fills[0]?.bytes ?? 0) >= 300_000, { timeout: 30_000 });
    const part = await bytesOf(read(digest, { start: 100, end: 200 }));
    expect(Buffer.compare(part, layer.subarray(100, 200))).toBe(0);
    expect(upstream.count("range")).toBe(0);
    resolve();
    await whole;
  });

  it("does not cause a fetch of a blob that is larger than the bound", async () => {
    const { digest } = upstream.addBlob(layer);
    mirror = newMirror({ maxBackgroundFill: 1000 });
    await bytesOf(read(digest, { start: 0, end: 10 }));
    expect(upstream.count("blob")).toBe(0);
  });
});

describe("a tag", () => {
  const resolve = (tag = "1") => mirror.manifest(repository(), tag);

  it("is believed for a minute, then checked once for all who wait", async () => {
    const { manifest } = upstream.addImage("1", layer);
    expect(await resolve()).toMatchObject({ descriptor: manifest, isHit: false });
    nowMs += 59_000;
    expect(await resolve()).toMatchObject({ descriptor: manifest, isHit: true });
    nowMs += 1_000;
    await Promise.all(Array.from({ length: 20 }, () => resolve()));
    expect(upstream.requests).toEqual(["resolve 1", `manifest ${manifest.digest}`, "resolve 1"]);
  });

  it("is not checked again for a client that comes while its manifest is fetched", async () => {
    const { manifest } = upstream.addImage("1", layer);
    const [fetching, mayArrive] = [gate(), gate()];
    upstream.before = (request) => {
      if (!request.startsWith("manifest")) return;
      fetching.resolve();
      return mayArrive.promise;
    };
    const first = resolve();
    await fetching.promise;
    const second = resolve();
    const other = newMirror().manifest(repository(), "1");
    // The checks of both have ended when they wait for the manifest.
    await vi.waitUntil(() => upstream.count("resolve") > 1 || mirrors.every(({ fills }) => fills.length > 0), {
      timeout: 30_000,
    });
    mayArrive.resolve();
    for (const answer of await Promise.all([first, second, other])) expect(answer.descriptor).toEqual(manifest);
    expect(upstream.requests).toEqual(["resolve 1", `manifest ${manifest.digest}`]);
  });

  it("is checked once by several mirrors with one folder, which wait for the first", async () => {
    const { manifest } = upstream.addImage("1", layer);
    const others = [1, 2].map(() => new FileCache(root, { durability: "visible" }));
    const asked = gate();
    upstream.before = (request) => (request.startsWith("resolve") ? asked.promise : undefined);
    const all = [cache, ...others].map((each) => newMirror({ cache: each, tags: each.tags }));
    const answers = Promise.all(all.map((each) => each.manifest(repository(), "1")));
    await vi.waitUntil(() => upstream.count("resolve") > 0, { timeout: 30_000 });
    // Time for the others to ask too.
    await new Promise((resolve) => setTimeout(resolve, 100));
    asked.resolve();
    for (const { descriptor } of await answers) expect(descriptor).toEqual(manifest);
    expect(upstream.count("resolve")).toBe(1);
    for (const each of all) await each.close();
    for (const other of others) await other[Symbol.asyncDispose]();
  });

  it("is checked by the next mirror if the first one fails", async () => {
    const { manifest } = upstream.addImage("1", layer);
    const other = new FileCache(root, { durability: "visible" });
    const [asked, first] = [gate(), newMirror()];
    const second = newMirror({ cache: other, tags: other.tags });
    upstream.before = async (request) => {
      if (request !== "resolve 1" || upstream.count("resolve") > 1) return;
      await asked.promise;
      throw new MoteError("MOTE_UNREACHABLE", "the upstream is down");
    };
    const failing = first.manifest(repository(), "1");
    await vi.waitUntil(() => upstream.count("resolve") > 0, { timeout: 30_000 });
    const answer = second.manifest(repository(), "1");
    asked.resolve();
    await expect(failing).rejects.toMatchObject({ code: "MOTE_UNREACHABLE" });
    expect((await answer).descriptor).toEqual(manifest);
    await second.close();
    await other[Symbol.asyncDispose]();
  });

  it("that moved is checked again if the older manifest is neither stored nor upstream", async () => {
    const older = upstream.addImage("1", layer).manifest;
    await resolve();
    await cache.removeMote(older.digest);
    upstream.blobs.delete(older.digest);
    const newer = upstream.addImage("1", randomBytes(10)).manifest;
    expect(await resolve()).toMatchObject({ descriptor: newer, isHit: false });
  });

  it("is believed by another mirror with the same folder", async () => {
    upstream.addImage("1", layer);
    await resolve();
    mirror = newMirror();
    expect((await resolve()).isHit).toBe(true);
  });

  it("that moved resolves to the new manifest when it is no longer fresh", async () => {
    upstream.addImage("1", layer);
    await resolve();
    const { manifest } = upstream.addImage("1", randomBytes(10));
    nowMs += 60_000;
    expect((await resolve()).descriptor).toEqual(manifest);
  });

  it.each(["MOTE_UNREACHABLE", "MOTE_TIMEOUT", "MOTE_REGISTRY", "MOTE_RATE_LIMITED"])(
    "means what is stored, with the reason, after %s",
    async (code) => {
      const { manifest } = upstream.addImage("1", layer);
      await resolve();
      nowMs += 60_000;
      upstream.before = () => {
        throw new MoteError(code, "the upstream is down");
      };
      expect(await resolve()).toMatchObject({ descriptor: manifest, isHit: true, staleReason: "the upstream is down" });
      mirror = newMirror({ freshMs: 0 });
      await expect(mirror.manifest(repository(), "2")).rejects.toMatchObject({ code });
    },
  );

  it.each(["MOTE_NOT_FOUND", "MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN"])("is not served after %s", async (code) => {
    upstream.addImage("1", layer);
    await resolve();
    nowMs += 60_000;
    upstream.before = () => {
      throw new MoteError(code, "no");
    };
    await expect(resolve()).rejects.toMatchObject({ code });
    await expect(resolve()).rejects.toMatchObject({ code });
    expect(upstream.count("resolve")).toBe(2);
    nowMs += 10_000;
    await expect(resolve()).rejects.toMatchObject({ code });
    expect(upstream.count("resolve")).toBe(3);
  });

  it("resolves to the stored manifest if the upstream is silent", async () => {
    upstream.addImage("1", layer);
    await resolve();
    nowMs += 60_000;
    upstream.before = () => new Promise(() => {});
    expect((await resolve()).staleReason).toContain("has not answered within 2 s");
  });

  it("is not requested from an upstream that has failed three times", async () => {
    upstream.addImage("1", layer);
    upstream.before = () => {
      throw new MoteError("MOTE_UNREACHABLE", "down");
    };
    for (const tag of ["1", "2", "3", "4"])
      await expect(resolve(tag)).rejects.toMatchObject({ code: "MOTE_UNREACHABLE" });
    expect(upstream.count("resolve")).toBe(3);
    expect(mirror.upstreams).toMatchObject([{ name: "up.example", state: "open" }]);
  });

  it("is never asked offline", async () => {
    const { manifest } = upstream.addImage("1", layer);
    await resolve();
    nowMs += 3_600_000;
    const requests = upstream.requests.length;
    mirror = newMirror({ offline: true });
    expect(await resolve()).toMatchObject({ descriptor: manifest, isHit: true });
    await expect(resolve("2")).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
    await expect(bytesOf(read())).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
    expect(upstream.requests.length).toBe(requests);
  });

  it("is set in the cache when its image is complete", async () => {
    const image = upstream.addImage("1", layer);
    await resolve();
    await bytesOf(read(image.layer.digest));
    expect(await cache.tags.resolve("up.example/org/app:1")).toBeUndefined();
    await bytesOf(read(image.config.digest));
    await vi.waitUntil(() => cache.tags.resolve("up.example/org/app:1"), { timeout: 30_000 });
    expect((await cache.tags.resolve("up.example/org/app:1"))?.digest).toBe(image.manifest.digest);
  });

  it("is set before the mirror is closed", async () => {
    const image = upstream.addImage("1", layer, { isInlined: true });
    const { promise: mayTag, resolve: tagNow } = gate();
    const { tags } = cache;
    const tag = tags.tag.bind(tags);
    const tagging = vi.spyOn(tags, "tag").mockImplementation((...of) => mayTag.then(() => tag(...of)));
    await resolve();
    await bytesOf(read(image.layer.digest));
    await vi.waitUntil(() => tagging.mock.calls.length > 0, { timeout: 30_000 });
    const closing = mirror.close();
    tagNow();
    await closing;
    expect((await tags.resolve("up.example/org/app:1"))?.digest).toBe(image.manifest.digest);
  });

  it("is set although clients do not request the config, because it is in the manifest", async () => {
    const image = upstream.addImage("1", layer, { isInlined: true });
    await resolve();
    await bytesOf(read(image.layer.digest));
    await vi.waitUntil(() => cache.tags.resolve("up.example/org/app:1"), { timeout: 30_000 });
    expect(await cache.moteExists(image.config.digest)).toBe(true);
  });
});

it("a manifest by digest is fetched, and recorded as the repository's", async () => {
  const { manifest } = upstream.addImage("1", layer);
  expect(await mirror.manifest(repository(), manifest.digest)).toMatchObject({ descriptor: manifest, isHit: false });
  expect(await cache.membership.has("up.example/org/app", manifest.digest)).toBe(true);
});

function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
}
