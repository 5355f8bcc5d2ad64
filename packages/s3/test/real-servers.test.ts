import { randomBytes } from "node:crypto";
import { collectChunks, type Digest, digestBytes, MoteError, type MoteSource, writeMote } from "@mote/core";
import {
  type ChaosProxy,
  type Effect,
  type ProxiedRequest,
  type Radosgw,
  type S3Server,
  startChaosProxy,
} from "@mote/testbed";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Credentials, S3Cache, type S3CacheOptions } from "../src/index.js";
import { optionsOf, servers } from "./servers.js";

const small = moteOf(randomBytes(1000));
const medium = moteOf(randomBytes(3_000_000));
const large = moteOf(randomBytes(20_000_000));
const page = "<html><head><title>Login</title></head><body>Please log in.</body></html>";

function moteOf(bytes: Uint8Array) {
  return { digest: digestBytes(bytes), mediaType: "application/x-test", size: bytes.byteLength, bytes };
}

async function read(source: MoteSource, { digest }: { readonly digest: Digest }): Promise<Uint8Array> {
  await using reader = await source.moteReader(digest);
  return await collectChunks(reader, { maxBytes: 1e9, what: "the mote" });
}

/** Resolves to the code of the error, and the message. */
async function failure(work: Promise<unknown>): Promise<[code: string, message: string]> {
  const error = await work.then(
    () => new Error("it succeeded"),
    (error: unknown) => error,
  );
  if (MoteError.isInstance(error)) return [error.code, error.message];
  throw error;
}

const errorDocument = (code: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>m</Message><RequestId>1</RequestId></Error>`;
const isBlob = ({ url }: ProxiedRequest) => url.includes("/blobs/");
const isBlobRead = (request: ProxiedRequest) => isBlob(request) && request.method === "GET";
const isList = ({ url }: ProxiedRequest) => url.includes("list-type=2");

describe.each(servers)("$name $missing", ({ name, start, missing }) => {
  let server: S3Server | Radosgw;
  let proxy: ChaosProxy;
  let bucket: string;
  const open: AsyncDisposable[] = [];
  beforeAll(async () => {
    if (missing !== "") return;
    server = await start();
    bucket = await server.createBucket();
  }, 120_000);
  beforeEach(async () => {
    if (missing === "") proxy = await startChaosProxy(new URL(server.endpoint).host);
  });
  afterEach(async () => {
    vi.useRealTimers();
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });
  afterAll(async () => await server?.stop());

  /** Opens a cache that reaches the server through the proxy. */
  const through = (options: Partial<S3CacheOptions> = {}): S3Cache => {
    const cache = new S3Cache({
      ...optionsOf(server, bucket),
      endpoint: `http://${proxy.host}`,
      retries: { firstDelayMs: 1, longestDelayMs: 20 },
      ...options,
    });
    open.push(cache);
    return cache;
  };
  /** Injects an effect into the first requests that match. */
  const inject = (times: number, effect: Effect, matches: (request: ProxiedRequest) => boolean) => {
    let left = times;
    proxy.inject((request) => (matches(request) && left-- > 0 ? effect : undefined));
  };

  describe.skipIf(missing !== "")("behind a proxy", () => {
    it("that responds with bursts of 503 SlowDown is requested again", async () => {
      const cache = through();
      const slowDown = { status: 503, headers: { "retry-after": "0" }, body: errorDocument("SlowDown") };
      for (const each of [small, large]) {
        inject(7, slowDown, isBlob);
        await writeMote(cache, each, each.bytes);
        inject(7, slowDown, isBlob);
        expect(Buffer.compare(await read(cache, each), each.bytes)).toBe(0);
      }
    });

    it("that cuts and stalls is read to the end, from the byte where it stopped, with If-Match", async () => {
      const cache = through({ idleTimeoutMs: 2000 });
      await writeMote(cache, medium, medium.bytes);
      for (const effect of [{ cutAfter: 600_000 }, { stallAfter: 600_000 }]) {
        proxy.requests.length = 0;
        inject(1, effect, isBlobRead);
        expect(Buffer.compare(await read(cache, medium), medium.bytes)).toBe(0);
        const sent = proxy.requests.filter(isBlobRead).map(({ headers }) => [headers.range, headers["if-match"]]);
        expect(sent[0]).toEqual([undefined, undefined]);
        expect(sent[1]).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-2999999$/), expect.any(String)]);
      }
    });

    it("that never responds ends the call after the idle time", async () => {
      const cache = through({ idleTimeoutMs: 300, retries: { retries: 1, firstDelayMs: 1 } });
      proxy.inject(() => "silence");
      expect((await failure(cache.find(small.digest)))[0]).toBe("MOTE_TIMEOUT");
    });

    it("fails a read whose object is replaced before it is resumed", async () => {
      const cache = through();
      await writeMote(cache, medium, medium.bytes);
      inject(1, { cutAfter: 600_000 }, isBlobRead);
      const reader = await cache.moteReader(medium.digest);
      const path = new URL(cache.moteRef(medium.digest)).pathname.slice(1);
      expect((await server.send("PUT", path, { body: randomBytes(medium.size) })).ok).toBe(true);
      const reading = collectChunks(reader, { maxBytes: 1e9, what: "it" });
      expect((await failure(reading))[0]).toBe("MOTE_CORRUPT");
    });

    it("that sends a wrong Content-Length fails the read, and the blob stays", async () => {
      const cache = through({ retries: { retries: 2, firstDelayMs: 1 } });
      await writeMote(cache, medium, medium.bytes);
      for (const [length, code] of [
        ["2999999", "MOTE_CORRUPT"],
        ["3000001", "MOTE_UNREACHABLE"],
      ] as const) {
        inject(1, { headers: { "content-length": length } }, isBlobRead);
        expect([length, (await failure(read(cache, medium)))[0]]).toEqual([length, code]);
        expect(Buffer.compare(await read(cache, medium), medium.bytes)).toBe(0);
      }
    });

    it.each([
      [200, "MOTE_IO"],
      [404, "MOTE_IO"],
      [502, "MOTE_IO"],
    ])(
      "that responds with a page of HTML and %i is never a miss, an empty bucket or a success",
      async (status, code) => {
        const retries = { retries: 1, firstDelayMs: 1 };
        const cache = through({ retries });
        await writeMote(cache, small, small.bytes);
        proxy.inject(() => ({ status, headers: { "content-type": "text/html" }, body: page }));
        for (const call of [
          () => through({ retries }).initialize(),
          () => through({ retries }).moteExists(small.digest),
          () => read(cache, small),
          () => writeMote(cache, medium, medium.bytes),
          () => writeMote(cache, large, large.bytes),
          () => cache.tags.resolve("a:1"),
          () => cache.tags.tag("a:1", small),
          () => cache.prune(0),
        ])
          expect((await failure(call()))[0]).toBe(code);
        proxy.inject(() => undefined);
        expect(await cache.moteExists(small.digest)).toBe(true);
        expect(await cache.moteExists(medium.digest)).toBe(false);
      },
    );

    it.each([
      [
        "entities",
        `<!DOCTYPE a [<!ENTITY x "yy">]><ListBucketResult><IsTruncated>&x;</IsTruncated></ListBucketResult>`,
      ],
      ["a thousand levels", "<ListBucketResult>".repeat(1000)],
      ["another document", "<Result><IsTruncated>false</IsTruncated></Result>"],
      ["a page without an end", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"],
      [
        "a page that repeats itself",
        "<ListBucketResult><Contents><Key>blobs/x</Key></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken></ListBucketResult>",
      ],
    ])("that lists %s makes prune fail, and nothing is removed", async (_, document) => {
      const cache = through();
      await writeMote(cache, small, small.bytes);
      const body = new TextEncoder().encode(document);
      const headers = { "content-length": String(body.byteLength), "transfer-encoding": undefined };
      proxy.inject((request) => (isList(request) ? { body, headers } : undefined));
      expect((await failure(cache.prune(0)))[0]).toBe("MOTE_IO");
      proxy.inject(() => undefined);
      expect(await cache.moteExists(small.digest)).toBe(true);
    });

    it("whose credentials expire during a transfer is requested again with renewed ones, which are fetched once", async () => {
      const { accessKeyId, secretAccessKey } = server;
      let issued = 0;
      const expiresMs = Date.now() + 3_600_000;
      const cache = through({ credentials: () => ({ accessKeyId, secretAccessKey, expiresMs: expiresMs + ++issued }) });
      const expired = { status: 400, body: errorDocument("ExpiredToken") };
      inject(1, expired, ({ url }) => url.includes("partNumber=2"));
      await writeMote(cache, large, large.bytes);
      expect(issued).toBe(2);
      expect(Buffer.compare(await read(cache, large), large.bytes)).toBe(0);
      proxy.inject(() => expired);
      expect(await failure(cache.find(small.digest))).toEqual([
        "MOTE_UNAUTHORIZED",
        expect.stringContaining("expired"),
      ]);
      expect(issued).toBe(3);
    });
  });

  describe.skipIf(missing !== "")("without a proxy", () => {
    const connect = (options: Partial<S3CacheOptions> = {}): S3Cache => {
      const cache = new S3Cache({ ...optionsOf(server, bucket), ...options });
      open.push(cache);
      return cache;
    };

    it.each([-3_600_000, 3_600_000])("names the clock if it is wrong by %i ms", async (wrongMs) => {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + wrongMs });
      const [code, message] = await failure(connect().initialize());
      expect([code, message]).toEqual([
        "MOTE_UNAUTHORIZED",
        expect.stringContaining("the clock of this machine is 60 minutes"),
      ]);
    });

    it("explains a wrong bucket, unknown keys and a wrong secret", async () => {
      const { accessKeyId, secretAccessKey } = server;
      const unknown: Credentials = { accessKeyId: "UNKNOWN", secretAccessKey };
      const wrong: Credentials = { accessKeyId, secretAccessKey: "wrong" };
      for (const [options, code, part] of [
        [{ bucket: "no-such-bucket" }, "MOTE_CONFIG", "the bucket does not exist"],
        [{ credentials: unknown }, "MOTE_UNAUTHORIZED", "does not know the access key"],
        [{ credentials: wrong }, "MOTE_UNAUTHORIZED", "rejects the signature"],
      ] as const) {
        expect(await failure(connect(options).initialize())).toEqual([code, expect.stringContaining(part)]);
        expect(await failure(connect(options).find(small.digest))).toEqual([code, expect.stringContaining(part)]);
      }
    });

    it("explains a wrong region, if the service has one", async () => {
      const cache = connect({ region: "eu-central-1" });
      if (name === "radosgw") await cache.initialize();
      else expect(await failure(cache.initialize())).toEqual(["MOTE_CONFIG", expect.stringContaining("eu-central-1")]);
    });

    // versitygw has no quotas.
    if (name === "radosgw")
      it("explains to users that they may only read, that their quota is used, and renews lost keys", async () => {
        if (!("addUser" in server)) return;
        const options = optionsOf(server, bucket);
        await writeMote(new S3Cache(options), small, small.bytes);

        const reader = await server.addUser();
        const Statement = [
          {
            Effect: "Allow",
            Principal: { AWS: [`arn:aws:iam:::user/${reader.user}`] },
            Action: ["s3:GetObject", "s3:ListBucket"],
            Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
          },
        ];
        const policy = new TextEncoder().encode(JSON.stringify({ Version: "2012-10-17", Statement }));
        expect((await server.send("PUT", `${bucket}?policy`, { body: policy })).ok).toBe(true);
        const readOnly = new S3Cache({ ...options, credentials: reader, usePrecisionMs: 0 });
        await readOnly.initialize();
        expect(Buffer.compare(await read(readOnly, small), small.bytes)).toBe(0);
        for (const call of [
          () => writeMote(readOnly, medium, medium.bytes),
          () => writeMote(readOnly, large, large.bytes),
          () => readOnly.tags.tag("a:1", small),
          () => readOnly.removeMote(small.digest),
          () => readOnly.prune(0),
        ])
          expect((await failure(call()))[0]).toBe("MOTE_UNWRITABLE");

        const limited = await server.addUser({ maxBytes: 1_000_000 });
        const overQuota = new S3Cache({ ...options, credentials: limited, bucket: await server.createBucket(limited) });
        await writeMote(overQuota, small, small.bytes);
        for (const each of [medium, large]) {
          expect((await failure(writeMote(overQuota, each, each.bytes)))[0]).toBe("MOTE_NO_SPACE");
          expect(await overQuota.moteExists(each.digest)).toBe(false);
        }

        // Keys that are replaced while a stream is written.
        const first = await server.addUser();
        const keys: Credentials[] = [first, await server.addKeys(first.user)];
        let issued = 0;
        const rotated = new S3Cache({
          ...options,
          bucket: await server.createBucket(first),
          credentials: () => ({ ...(keys[issued++] ?? first), expiresMs: Date.now() + 3_600_000 }),
        });
        await rotated.createMote(large.digest, large.mediaType, large.size);
        await using writer = await rotated.moteWriter(large.digest);
        await writer.write(large.bytes.subarray(0, 10_000_000));
        await server.removeKeys(first.user, first.accessKeyId);
        await writer.write(large.bytes.subarray(10_000_000));
        await writer.close();
        expect(Buffer.compare(await read(rotated, large), large.bytes)).toBe(0);
        expect(issued).toBe(2);
      }, 60_000);
  });
});
