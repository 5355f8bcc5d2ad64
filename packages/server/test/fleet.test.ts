import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, mediaTypes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { hashSync } from "bcryptjs";
import { SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  PasswordAccess,
  type RegistryServer,
  type ServedRequest,
  type ServeOptions,
  serve,
  signFleetToken,
} from "../src/index.js";

const secret = "0123456789abcdef0123456789abcdef";
const bytes = randomBytes(200_000);
const digest = digestBytes(bytes);
const absent = digestBytes(randomBytes(8));
const member = "http://other.example:5000";
const own = "http://member.example:5000";

let folder: string;
let cache: FileCache;
let opened: AsyncDisposable[];
let served: ServedRequest[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-fleet-"));
  cache = new FileCache(join(folder, "cache"), { durability: "visible" });
  await cache.initialize();
  opened = [cache];
  served = [];
});
afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function start(options: Partial<ServeOptions> = {}): Promise<RegistryServer> {
  const fleet = { url: own, secret: async () => secret };
  const server = await serve({
    source: cache,
    tags: cache.tags,
    fleet,
    onRequest: (one) => served.push(one),
    ...options,
  });
  opened.push(server);
  return server;
}

interface Got {
  readonly status: number | undefined;
  readonly range: string | undefined;
  readonly body: Buffer;
}

/** Returns the response, or rejects if its body is cut. `onHead` is called when it begins. */
function get(
  { port }: RegistryServer,
  path: string,
  headers: Readonly<Record<string, string>>,
  { method = "GET", onData = () => {} }: { readonly method?: string; readonly onData?: () => void } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        onData();
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode, range: response.headers["content-range"], body: Buffer.concat(chunks) }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}

const pathOf = (blob: Digest) => `/api/fleet/blobs/${blob}`;

async function withToken(blob: Digest, more: Readonly<Record<string, string>> = {}, from = member) {
  return { authorization: `Bearer ${await signFleetToken({ secret, digest: blob, member: from })}`, ...more };
}

async function store(): Promise<void> {
  await writeMote(cache, { digest, mediaType: mediaTypes.octetStream, size: bytes.byteLength }, bytes);
}

describe("the blobs of a fleet", () => {
  it("are sent to a member from any byte on", async () => {
    await store();
    const server = await start();
    const whole = await get(server, pathOf(digest), await withToken(digest));
    expect([whole.status, Buffer.compare(whole.body, bytes)]).toEqual([200, 0]);
    const last = bytes.byteLength - 1;
    const rest = await get(server, pathOf(digest), await withToken(digest, { range: `bytes=150000-${last}` }));
    expect([rest.status, rest.range]).toEqual([206, `bytes 150000-${last}/*`]);
    expect(Buffer.compare(rest.body, bytes.subarray(150_000))).toBe(0);
    const head = await get(server, pathOf(digest), await withToken(digest), { method: "HEAD" });
    expect([head.status, head.body.byteLength]).toEqual([200, 0]);
    expect(served[0]).toMatchObject({ facts: { member }, bytesSent: bytes.byteLength, isHit: undefined });
  });

  it("are sent while they arrive, and end after they were verified", async () => {
    const mote = await cache.createMote(digest, mediaTypes.octetStream, bytes.byteLength);
    const writer = await cache.leadMote(mote);
    if (writer === undefined) throw new Error("another process writes");
    await writer.write(bytes.subarray(0, 100_000));
    const server = await start();
    const { promise: arrived, resolve: onData } = newGate();
    const headers = await withToken(digest, { range: `bytes=50000-${bytes.byteLength - 1}` });
    const rest = get(server, pathOf(digest), headers, { onData });
    await arrived;
    await writer.write(bytes.subarray(100_000));
    await writer.close();
    expect(Buffer.compare((await rest).body, bytes.subarray(50_000))).toBe(0);
  });

  it("are cut if the fetch fails or sends wrong bytes, also at the end", async () => {
    const server = await start();
    for (const [written, end] of [
      [bytes.subarray(0, 100_000), "suspend"],
      [randomBytes(bytes.byteLength), "close"],
    ] as const) {
      const mote = await cache.createMote(digest, mediaTypes.octetStream, bytes.byteLength);
      const writer = await cache.leadMote(mote);
      if (writer === undefined) throw new Error("another process writes");
      const { promise: arrived, resolve: onData } = newGate();
      await writer.write(written.subarray(writer.offset));
      const headers = await withToken(digest, { range: `bytes=0-${bytes.byteLength - 1}` });
      const rest = get(server, pathOf(digest), headers, { onData });
      rest.catch(() => {});
      await arrived;
      await writer[end]().catch(() => {});
      await expect(rest).rejects.toThrow();
    }
  });

  it("are not found unless they are stored or being fetched, and by the member itself", async () => {
    await store();
    const server = await start();
    expect((await get(server, pathOf(absent), await withToken(absent))).status).toBe(404);
    expect((await get(server, pathOf(digest), await withToken(digest, {}, own))).status).toBe(404);
  });

  it.each([
    "bytes=-5",
    "bytes=5-",
    "bytes=9-3",
    "bytes=0-1,3-4",
    "lines=0-3",
    "bytes=0x1-0x2",
    "bytes=0-99999999999999999999",
  ])("are sent completely for the range %s", async (range) => {
    await store();
    const got = await get(await start(), pathOf(digest), await withToken(digest, { range }));
    expect([got.status, Buffer.compare(got.body, bytes)]).toEqual([200, 0]);
  });

  it.each(["bytes=0-200000", "bytes=300000-400000", "bytes=9007199254740980-9007199254740989"])(
    "are cut for the range %s, which is beyond their end",
    async (range) => {
      await store();
      await expect(get(await start(), pathOf(digest), await withToken(digest, { range }))).rejects.toThrow();
    },
  );
});

describe("the access to the blobs of a fleet", () => {
  const token = (claims: (jwt: SignJWT) => SignJWT, key = secret, alg = "HS256") =>
    claims(
      new SignJWT().setProtectedHeader({ alg }).setIssuer(member).setAudience("mote-fleet").setSubject(digest),
    ).sign(new TextEncoder().encode(key));
  const now = Math.floor(Date.now() / 1000);
  const valid = (jwt: SignJWT) => jwt.setIssuedAt().setExpirationTime("60s");

  it.each<[string, () => Promise<string> | string]>([
    ["no token", () => ""],
    ["a password", () => `Basic ${btoa("ann:secret")}`],
    ["the secret itself", () => `Bearer ${secret}`],
    ["a token of another secret", async () => `Bearer ${await token(valid, `${secret}x`)}`],
    ["a token of another algorithm", async () => `Bearer ${await token(valid, secret.repeat(2), "HS512")}`],
    [
      "an unsigned token",
      () => `Bearer ${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ sub: digest }))}.`.replace(/=/g, ""),
    ],
    [
      "an expired token",
      async () => `Bearer ${await token((jwt) => jwt.setIssuedAt(now - 400).setExpirationTime(now - 200))}`,
    ],
    [
      "an old token that never expires",
      async () => `Bearer ${await token((jwt) => jwt.setIssuedAt(now - 400).setExpirationTime(now + 9e6))}`,
    ],
    [
      "a token of the future",
      async () => `Bearer ${await token((jwt) => jwt.setIssuedAt(now + 400).setExpirationTime(now + 460))}`,
    ],
    ["a token without an expiration", async () => `Bearer ${await token((jwt) => jwt.setIssuedAt())}`],
    ["a token for another audience", async () => `Bearer ${await token((jwt) => valid(jwt).setAudience("other"))}`],
    ["a token for another blob", async () => (await withToken(absent)).authorization],
  ])("is denied with %s", async (_, authorization) => {
    await store();
    const users = join(folder, "users");
    await writeFile(users, `ann:${hashSync("secret", 4)}\n`);
    const access = new PasswordAccess({ htpasswd: users, anonymousPull: true });
    opened.push(access);
    const server = await start({ access });
    const got = await get(server, pathOf(digest), { authorization: await authorization() });
    expect([got.status, got.body.includes(secret)]).toEqual([401, false]);
  });

  it.each([
    ["behind", -100],
    ["ahead", 100],
  ])("is allowed to a member whose clock is %s", async (_, skew) => {
    await store();
    const claims = (jwt: SignJWT) => jwt.setIssuedAt(now + skew).setExpirationTime(now + skew + 60);
    const got = await get(await start(), pathOf(digest), { authorization: `Bearer ${await token(claims)}` });
    expect(got.status).toBe(200);
  });

  it("does not depend on logins, and opens nothing else", async () => {
    await store();
    const users = join(folder, "users");
    await writeFile(users, `ann:${hashSync("secret", 4)}\n`);
    const access = new PasswordAccess({ htpasswd: users });
    opened.push(access);
    const server = await start({ access });
    const headers = await withToken(digest);
    expect((await get(server, pathOf(digest), headers)).status).toBe(200);
    for (const path of ["/v2/", `/v2/app/blobs/${digest}`, "/", "/metrics", "/api/status"])
      expect((await get(server, path, headers)).status, path).toBe(401);
    expect((await get(server, pathOf(digest), headers, { method: "POST" })).status).toBe(401);
  });

  it("is not limited as that of a client", async () => {
    const mote = await cache.createMote(digest, mediaTypes.octetStream, bytes.byteLength);
    const writer = await cache.leadMote(mote);
    if (writer === undefined) throw new Error("another process writes");
    await writer.write(bytes.subarray(0, 100_000));
    const server = await start({ clientLimit: { requests: 1 } });
    const range = `bytes=0-${bytes.byteLength - 1}`;
    const gates = [1, 2, 3].map(() => newGate());
    const reading = gates.map(async ({ resolve: onData }) =>
      get(server, pathOf(digest), await withToken(digest, { range }), { onData }),
    );
    await Promise.all(gates.map(({ promise }) => promise));
    await writer.write(bytes.subarray(100_000));
    await writer.close();
    for (const { status } of await Promise.all(reading)) expect(status).toBe(206);
  });

  it("waits for the secret, without which nothing is served", async () => {
    await store();
    const fleet = { url: own, secret: () => Promise.reject(new Error("Redis is down")) };
    const server = await start({ fleet });
    expect((await get(server, pathOf(digest), await withToken(digest))).status).toBe(503);
    expect((await get(server, pathOf(digest), {})).status).toBe(401);
  });

  it("counts for no client if it disconnects while the secret is awaited", async () => {
    const [asked, known] = [newGate(), newGate()];
    const waiting = async () => {
      asked.resolve();
      await known.promise;
      return secret;
    };
    const server = await start({ fleet: { url: own, secret: waiting }, clientLimit: { requests: 1 } });
    const headers = { authorization: "Bearer wrong" };
    const sent = request({ host: "127.0.0.1", port: server.port, path: pathOf(digest), headers });
    sent.on("error", () => {});
    sent.end();
    await asked.promise;
    sent.destroy();
    await expect.poll(() => served.length).toBe(1);
    known.resolve();
    expect((await get(server, pathOf(digest), headers)).status).toBe(401);
    expect((await get(server, "/v2/", {})).status).toBe(200);
  });

  it("does not exist without a fleet", async () => {
    const server = await start({ fleet: undefined });
    expect((await get(server, pathOf(digest), await withToken(digest))).status).toBe(404);
  });

  it("does not listen for a fleet whose URL has no valid host", async () => {
    const { port, close } = await start();
    await close();
    const fleet = { url: "http://no~host", secret: async () => secret };
    await expect(start({ fleet, port })).rejects.toThrow("not a valid host");
    expect((await start({ port })).port).toBe(port);
  });

  it("allows the host at which the others reach the member, on a loopback address, too", async () => {
    await store();
    const server = await start();
    const statusOf = async (host: string) =>
      (await get(server, pathOf(digest), await withToken(digest, { host }))).status;
    expect([await statusOf("member.example:5000"), await statusOf("evil.example")]).toEqual([200, 421]);
  });
});

function newGate() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
