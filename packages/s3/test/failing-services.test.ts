import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collectChunks, digestBytes, MoteError, type MoteSource, writeMote } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import type { Credentials } from "../src/index.js";
import { type Effect, type FakeRequest, FakeS3 } from "./fake-s3.js";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function fakeS3(...args: Parameters<typeof FakeS3.start>): Promise<FakeS3> {
  const fake = await FakeS3.start(...args);
  open.push(fake);
  return fake;
}

const small = mote(randomBytes(1000));
const medium = mote(randomBytes(3_000_000));
const large = mote(randomBytes(40_000_000));

function mote(bytes: Uint8Array) {
  return { digest: digestBytes(bytes), mediaType: "application/x-test", size: bytes.byteLength, bytes };
}

async function read(
  source: MoteSource,
  { digest }: { digest: typeof small.digest },
  options = {},
): Promise<Uint8Array> {
  await using reader = await source.moteReader(digest, options);
  return await collectChunks(reader, { maxBytes: 1e9, what: "the mote" });
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await work.then(
    () => new Error("it succeeded"),
    (error: unknown) => error,
  );
  if (MoteError.isInstance(error)) return { code: error.code, message: error.message };
  throw error;
}

/** Returns an effect for the first requests that match. */
function first(times: number, effect: Effect, matches: (request: FakeRequest) => boolean) {
  let left = times;
  return (request: FakeRequest) => (matches(request) && left-- > 0 ? effect : undefined);
}

const isBlob = ({ key }: FakeRequest) => key.includes("blobs/");
const isBlobRead = (request: FakeRequest) => isBlob(request) && request.method === "GET";
const isBlobWrite = (request: FakeRequest) => isBlob(request) && ["PUT", "POST"].includes(request.method);

describe("a service that fails", () => {
  it.each<[string, Effect]>([
    ["drops connections", "drop"],
    ["is busy", { status: 503, code: "SlowDown" }],
    ["has an internal error", { status: 500, code: "InternalError" }],
    ["says when to return", { status: 503, code: "SlowDown", headers: { "retry-after": "0" } }],
  ])("and %s is requested again", async (_, effect) => {
    const fake = await fakeS3();
    const cache = fake.cache();
    for (const each of [small, large]) {
      fake.effect = first(4, effect, isBlobWrite);
      await writeMote(cache, each, each.bytes);
      fake.effect = first(4, effect, isBlobRead);
      expect(Buffer.compare(await read(cache, each), each.bytes)).toBe(0);
    }
    expect(fake.store.uploads.size).toBe(0);
  });

  it.each<[string, Effect, string]>([
    ["always busy", { status: 503, code: "SlowDown" }, "MOTE_RATE_LIMITED"],
    ["always broken", { status: 500, code: "InternalError" }, "MOTE_IO"],
    ["never reachable", "drop", "MOTE_UNREACHABLE"],
    [
      "asking for a pause of an hour",
      { status: 503, code: "SlowDown", headers: { "retry-after": "3600" } },
      "MOTE_RATE_LIMITED",
    ],
  ])("and is %s fails the call with its code after some attempts", async (_, effect, code) => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await cache.initialize();
    fake.effect = (request) => (isBlob(request) ? effect : undefined);
    fake.requests.length = 0;
    expect((await failure(cache.moteExists(small.digest))).code).toBe(code);
    expect((await failure(cache.moteReader(small.digest))).code).toBe(code);
    expect((await failure(writeMote(cache, small, small.bytes))).code).toBe(code);
    expect(fake.sent("blobs/").length).toBeLessThanOrEqual(20);
  });

  it("and stalls ends the call after the idle time", async () => {
    const fake = await fakeS3();
    // What does not stall must not run into the idle time on a busy machine.
    const cache = fake.cache({ idleTimeoutMs: 2_000 });
    await writeMote(cache, medium, medium.bytes);
    fake.effect = (request) => (isBlobRead(request) ? "stall" : undefined);
    const hasty = fake.cache({ idleTimeoutMs: 50, retries: { retries: 1, firstDelayMs: 1 } });
    expect((await failure(hasty.moteReader(medium.digest))).code).toBe("MOTE_TIMEOUT");
    fake.effect = first(1, { cutAfter: 500_000, stall: true }, isBlobRead);
    expect(Buffer.compare(await read(cache, medium), medium.bytes)).toBe(0);
  });

  it("and loses responses stores what it has acknowledged, once", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await cache.initialize();
    for (const each of [small, large]) {
      fake.effect = first(3, "lose", isBlobWrite);
      await writeMote(cache, each, each.bytes);
      fake.effect = () => undefined;
      expect(Buffer.compare(await read(cache, each), each.bytes)).toBe(0);
    }
  });

  it("and loses the response to the completion of an upload has completed it", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    fake.effect = first(1, "lose", ({ method, query }) => method === "POST" && query.has("uploadId"));
    await writeMote(cache, large, large.bytes);
    expect(await cache.moteExists(large.digest)).toBe(true);
    expect(fake.store.uploads.size).toBe(0);
  });
});

describe("a response that is interrupted", () => {
  it("is resumed at the byte where it ended, for the same object", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    fake.requests.length = 0;
    fake.effect = first(4, { cutAfter: 600_000 }, isBlobRead);
    expect(Buffer.compare(await read(cache, medium), medium.bytes)).toBe(0);
    const ranges = fake.requests
      .filter(isBlobRead)
      .map(({ headers }) => [headers.range, headers["if-match"] !== undefined]);
    expect(ranges[0]).toEqual([undefined, false]);
    expect(
      ranges.slice(1).every(([range, isConditional]) => /^bytes=\d+-2999999$/.test(String(range)) && isConditional),
    ).toBe(true);
    expect(new Set(ranges.map(([range]) => range)).size).toBe(ranges.length);
  });

  it("in the middle of a range continues in the range", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    fake.effect = first(3, { cutAfter: 100_000 }, isBlobRead);
    const part = await read(cache, medium, { start: 1000, end: 2_000_000 });
    expect(Buffer.compare(part, medium.bytes.subarray(1000, 2_000_000))).toBe(0);
    await using reader = await cache.moteReaderAt(medium.digest);
    fake.effect = first(1, { cutAfter: 1000 }, isBlobRead);
    const into = new Uint8Array(2000);
    expect(await reader.readAt(into, 2_500_000)).toBe(2000);
    expect(Buffer.compare(into, medium.bytes.subarray(2_500_000, 2_502_000))).toBe(0);
  });

  it("repeatedly without a byte fails the read", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    fake.effect = (request) => (isBlobRead(request) ? { cutAfter: 0 } : undefined);
    expect((await failure(read(cache, medium))).code).toBe("MOTE_UNREACHABLE");
  });

  it("after the blob was removed fails the read with MOTE_NOT_FOUND", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    fake.effect = first(1, { cutAfter: 600_000 }, isBlobRead);
    const reader = await cache.moteReader(medium.digest);
    await cache.removeMote(medium.digest);
    expect((await failure(collectChunks(reader, { maxBytes: 1e9, what: "it" }))).code).toBe("MOTE_NOT_FOUND");
  });
});

describe("wrong bytes", () => {
  it("that come from the network fail the read, and the blob stays", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    fake.effect = first(1, "lie", isBlobRead);
    expect((await failure(read(cache, medium))).code).toBe("MOTE_CORRUPT");
    expect(await cache.quarantined()).toEqual({ files: 0, bytes: 0 });
    expect(Buffer.compare(await read(cache, medium), medium.bytes)).toBe(0);
  });

  it("are returned to a reader that verifies them itself, and nothing is quarantined", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    fake.effect = first(1, "lie", isBlobRead);
    await using reader = await cache.moteReader(medium.digest, { verifyOnRead: false });
    const wrong = await collectChunks(reader, { maxBytes: 1e9, what: "it" });
    expect([wrong.byteLength, Buffer.compare(wrong, medium.bytes) === 0]).toEqual([medium.size, false]);
    expect(await cache.moteExists(medium.digest)).toBe(true);
  });

  it("that the bucket stores are quarantined, and removed from there by prune", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    await writeMote(cache, medium, medium.bytes);
    const [key = ""] = fake.store.keys("blobs/", "");
    fake.store.put(key, medium.bytes.with(7, (medium.bytes[7] ?? 0) ^ 1), { modifiedMs: Date.now() });
    expect((await failure(read(cache, medium))).code).toBe("MOTE_CORRUPT");
    expect(await cache.moteExists(medium.digest)).toBe(false);
    expect(await cache.quarantined()).toEqual({ files: 1, bytes: medium.size });
    expect(await cache.prune(1e9)).toMatchObject({
      quarantined: { files: 1, bytes: medium.size },
      freedBytes: medium.size,
    });
    expect(await cache.quarantined()).toEqual({ files: 0, bytes: 0 });
  });

  it("never get a name: neither from memory, nor in parts, nor from a file", async () => {
    const fake = await fakeS3();
    const cache = fake.cache();
    const folder = await mkdtemp(join(tmpdir(), "mote-s3-"));
    for (const each of [small, large]) {
      const wrong = each.bytes.with(3, (each.bytes[3] ?? 0) ^ 1);
      expect((await failure(writeMote(cache, each, wrong))).code).toBe("MOTE_DIGEST_MISMATCH");
      await writeFile(join(folder, "file"), wrong);
      expect((await failure(cache.commitMote(join(folder, "file"), each, "move"))).code).toBe("MOTE_DIGEST_MISMATCH");
    }
    expect(fake.store.keys("blobs/", "")).toEqual([]);
    expect(fake.store.uploads.size).toBe(0);
    await rm(folder, { recursive: true });
  });
});

describe("a bucket", () => {
  it("that cannot be written can be read", async () => {
    const fake = await fakeS3();
    await writeMote(fake.cache(), small, small.bytes);
    fake.options = { readOnly: true };
    const cache = fake.cache({ usePrecisionMs: 0 });
    await cache.initialize();
    expect(Buffer.compare(await read(cache, small), small.bytes)).toBe(0);
    expect((await failure(writeMote(cache, medium, medium.bytes))).code).toBe("MOTE_UNWRITABLE");
    expect((await failure(writeMote(cache, large, large.bytes))).code).toBe("MOTE_UNWRITABLE");
    expect((await failure(cache.tags.tag("a", small))).code).toBe("MOTE_UNWRITABLE");
    expect((await failure(cache.removeMote(small.digest))).code).toBe("MOTE_UNWRITABLE");
    await cache[Symbol.asyncDispose]();
  });

  it("over its quota refuses writes with MOTE_NO_SPACE", async () => {
    const fake = await fakeS3({ quotaBytes: 10_000 });
    const cache = fake.cache();
    await writeMote(cache, small, small.bytes);
    expect((await failure(writeMote(cache, medium, medium.bytes))).code).toBe("MOTE_NO_SPACE");
    expect((await failure(writeMote(cache, large, large.bytes))).code).toBe("MOTE_NO_SPACE");
    expect(await cache.moteExists(medium.digest)).toBe(false);
  });

  it.each(["supported", "ignored", "rejected"] as const)(
    "stores a mote once if conditions are %s",
    async (conditions) => {
      const fake = await fakeS3({ conditions });
      const cache = fake.cache();
      for (const _ of [1, 2]) await writeMote(cache, small, small.bytes);
      expect(Buffer.compare(await read(cache, small), small.bytes)).toBe(0);
      const conditional = fake.requests.filter(
        (request) => isBlobWrite(request) && request.headers["if-none-match"] === "*",
      );
      expect(conditional.length).toBe(conditions === "supported" ? 2 : 0);
    },
  );

  it("of a newer format is refused", async () => {
    const fake = await fakeS3();
    const bytes = Buffer.from('{"format":"mote-bucket","version":2}');
    fake.store.put("mote.json", bytes, { modifiedMs: Date.now() });
    const cache = fake.cache();
    expect((await failure(cache.initialize())).code).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect((await failure(cache.find(small.digest))).code).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect((await failure(writeMote(cache, small, small.bytes))).code).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(fake.store.keys("", "")).toEqual(["mote.json"]);
  });
});

describe("a misconfiguration", () => {
  it.each([
    ["a bucket that does not exist", { bucket: "other" }, "MOTE_CONFIG", /the bucket does not exist/],
    ["another region", { region: "eu-central-1" }, "MOTE_CONFIG", /region eu-central-1/],
    [
      "an unknown access key",
      { credentials: { accessKeyId: "x", secretAccessKey: "y" } },
      "MOTE_UNAUTHORIZED",
      /access key/,
    ],
  ] as const)("with %s is explained", async (_, options, code, message) => {
    const fake = await fakeS3();
    for (const call of [
      (cache = fake.cache(options)) => cache.initialize(),
      (cache = fake.cache(options)) => cache.find(small.digest),
    ]) {
      const error = await failure(call());
      expect([error.code, message.test(error.message)]).toEqual([code, true]);
      expect(error.message).not.toContain("secret");
    }
  });

  it.each([
    [-3_600_000, /the clock of this machine is 60 minutes ahead of the server's/],
    [3_600_000, /the clock of this machine is 60 minutes behind the server's/],
  ])("of the clock, %i ms, is explained", async (aheadMs, message) => {
    const fake = await fakeS3({ aheadMs });
    const error = await failure(fake.cache().initialize());
    expect(error.code).toBe("MOTE_UNAUTHORIZED");
    expect(error.message).toMatch(message);
  });

  it("of the region that the service names is explained with that region", async () => {
    const fake = await fakeS3();
    fake.effect = () => ({ status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "ap-south-1" } });
    expect((await failure(fake.cache().initialize())).message).toMatch(/in the region ap-south-1, not in us-east-1/);
  });
});

describe("credentials that expire", () => {
  it("in mid-transfer are renewed once for all requests", async () => {
    const fake = await fakeS3();
    let issued = 0;
    const cache = fake.cache({
      credentials: (): Credentials => {
        fake.sessionTokens.clear();
        fake.sessionTokens.add(`token-${++issued}`);
        return { accessKeyId: "key", secretAccessKey: "secret", sessionToken: `token-${issued}` };
      },
    });
    await cache.initialize();
    await cache.createMote(large.digest, large.mediaType, large.size);
    await using writer = await cache.moteWriter(large.digest);
    for (let at = 0; at < large.size; at += 1_000_000) {
      if (at % 10_000_000 === 0) fake.sessionTokens.clear();
      await writer.write(large.bytes.subarray(at, at + 1_000_000));
    }
    await writer.close();
    fake.effect = first(2, { cutAfter: 10_000_000 }, (request) => {
      if (isBlobRead(request)) fake.sessionTokens.clear();
      return isBlobRead(request);
    });
    fake.sessionTokens.clear();
    expect((await cache.find(large.digest))?.size).toBe(large.size);
    expect(issued).toBeLessThan(15);
  });

  it("and cannot be renewed fail the call with MOTE_UNAUTHORIZED", async () => {
    const fake = await fakeS3();
    const cache = fake.cache({ credentials: { accessKeyId: "key", secretAccessKey: "secret", sessionToken: "old" } });
    expect((await failure(cache.initialize())).code).toBe("MOTE_UNAUTHORIZED");
    expect((await failure(cache.initialize())).message).toMatch(/have expired/);
  });
});
