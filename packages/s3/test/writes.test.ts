import { randomBytes } from "node:crypto";
import { digestBytes, writeMote } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeS3 } from "./fake-s3.js";

const mebibyte = 1024 * 1024;
const mediaType = "application/x-test";
let fake: FakeS3;
beforeEach(async () => {
  fake = await FakeS3.start();
});
afterEach(() => fake[Symbol.asyncDispose]());

/** The bytes of the requests that sent content of blobs. */
const sentBytes = () =>
  fake.requests
    .filter(({ method, key }) => method === "PUT" && key.startsWith("blobs/"))
    .map(({ headers }) => Number(headers["content-length"]));

async function write(length: number, options: { readonly hasSize: boolean }): Promise<void> {
  const bytes = randomBytes(length);
  const digest = digestBytes(bytes);
  const size = options.hasSize ? { size: length } : {};
  const cache = fake.cache();
  await writeMote(cache, { digest, mediaType, ...size }, chunksOf(bytes));
  expect(await cache.verifyMote(digest)).toBe(true);
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  // The memory of a chunk is reused, as by readers of sockets.
  const memory = new Uint8Array(100_000);
  for (let at = 0; at < bytes.byteLength; at += memory.byteLength) {
    const chunk = bytes.subarray(at, at + memory.byteLength);
    memory.set(chunk);
    yield memory.subarray(0, chunk.byteLength);
  }
}

describe("a stream", () => {
  it("of a known size up to 16 MiB is sent in one request", async () => {
    for (const length of [0, 1, 16 * mebibyte]) await write(length, { hasSize: true });
    expect(sentBytes()).toEqual([0, 1, 16 * mebibyte]);
  });

  it("that is longer, or whose size is not known, is sent in parts of 8 MiB", async () => {
    await write(16 * mebibyte + 1, { hasSize: true });
    expect(sentBytes().sort()).toEqual([1, 8 * mebibyte, 8 * mebibyte]);
    fake.requests.length = 0;
    await write(8 * mebibyte, { hasSize: false });
    await write(40 * mebibyte + 7, { hasSize: false });
    expect(sentBytes().sort()).toEqual([7, ...Array.from({ length: 6 }, () => 8 * mebibyte)]);
  });

  it("that would need too many parts is refused before anything is sent", async () => {
    const cache = fake.cache();
    const digest = digestBytes(new Uint8Array());
    await cache.createMote(digest, mediaType, 10_000 * 16 * mebibyte + 1);
    await expect(cache.moteWriter(digest)).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
    expect(fake.requests).toEqual([]);
  });
});

describe("encryption", () => {
  it("is requested for all objects, but not for parts", async () => {
    const cache = fake.cache({ encryption: { algorithm: "aws:kms", kmsKeyId: "the-key" } });
    for (const length of [10, 20 * mebibyte]) {
      const bytes = randomBytes(length);
      const mote = { digest: digestBytes(bytes), mediaType, size: length };
      await writeMote(cache, mote, bytes);
      await cache.tags.tag("a:1", mote);
      await cache.pinned.pin(mote.digest);
    }
    const isStoring = ({ method, query }: (typeof fake.requests)[number]) =>
      (method === "PUT" && !query.has("partNumber")) || query.has("uploads");
    const encrypted = fake.requests.filter(
      ({ headers }) =>
        headers["x-amz-server-side-encryption"] === "aws:kms" &&
        headers["x-amz-server-side-encryption-aws-kms-key-id"] === "the-key",
    );
    expect(encrypted).toEqual(fake.requests.filter(isStoring));
    expect(encrypted.length).toBeGreaterThan(7);
  });
});
