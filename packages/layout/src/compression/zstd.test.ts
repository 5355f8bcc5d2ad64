import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FolderFiles } from "../disk/named-files.js";
import { compressionOf, magicBytes, uncompressed } from "./uncompress.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-frames-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 251));

interface Frame {
  readonly content?: Uint8Array;
  readonly descriptor?: number;
  /** The bytes between descriptor and blocks. Default: a window of 1 MiB. */
  readonly header?: readonly number[];
  readonly checksum?: readonly number[];
}

/** Returns a zstd frame (RFC 8878) of raw blocks. */
function frame({ content: bytes = content, descriptor = 0, header = [0x50], checksum = [] }: Frame = {}): Buffer {
  const most = 100_000;
  const blocks = Array.from({ length: Math.max(1, Math.ceil(bytes.byteLength / most)) }, (_, at) => {
    const part = bytes.subarray(at * most, (at + 1) * most);
    const isLast = (at + 1) * most >= bytes.byteLength;
    const head = (part.byteLength << 3) | Number(isLast);
    return Buffer.concat([Buffer.from([head & 255, (head >> 8) & 255, head >> 16]), part]);
  });
  return Buffer.concat([magic, Buffer.from([descriptor, ...header]), ...blocks, Buffer.from(checksum)]);
}

function skippable(bytes: number): Buffer {
  const header = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  header.writeUInt32LE(bytes, 4);
  return Buffer.concat([header, Buffer.alloc(bytes, "skip")]);
}

function sized(size: number): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(size));
  return [...bytes];
}

async function read(bytes: Uint8Array): Promise<Buffer> {
  writeFileSync(join(dir, "file"), bytes);
  const file = await new FolderFiles(dir).open("file");
  try {
    const compression = compressionOf(bytes.subarray(0, magicBytes));
    if (compression === undefined) throw new Error("it is not compressed");
    const chunks: Uint8Array[] = [];
    for await (const chunk of uncompressed(file, "a file", { compression })) chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    await file.handle.close();
  }
}

async function outcome(bytes: Uint8Array): Promise<unknown> {
  return read(bytes).then(
    (plain) => plain.byteLength,
    (error: { readonly code?: string }) => error.code ?? error,
  );
}

describe("zstd", () => {
  it("is read to its last frame, and skippable frames are skipped", async () => {
    const parts = [content.subarray(0, 10), content.subarray(10, 150_000), content.subarray(150_000)];
    const frames = parts.map((part) => frame({ content: part }));
    const whole = Buffer.concat([skippable(0), skippable(12), ...frames.flatMap((one) => [one, skippable(70_000)])]);
    expect((await read(whole)).equals(content)).toBe(true);
    const many = Buffer.concat(
      Array.from({ length: 3000 }, (_, at) => frame({ content: content.subarray(at, at + 1) })),
    );
    expect((await read(many)).equals(content.subarray(0, 3000))).toBe(true);
    expect(await outcome(frame({ content: new Uint8Array(0), descriptor: 0x20, header: [0] }))).toBe(0);
  });

  it("is invalid if it is truncated anywhere", async () => {
    const whole = Buffer.concat([
      frame({ content: content.subarray(0, 40) }),
      skippable(9),
      frame({ content: content.subarray(0, 20), descriptor: 0xe0, header: sized(20) }),
    ]);
    const ends = [9 + 40, 9 + 40 + 17];
    for (let length = 5; length < whole.byteLength; length++) {
      const expected = ends.includes(length) ? 40 : "MOTE_INVALID_ARCHIVE";
      expect([length, await outcome(whole.subarray(0, length))]).toEqual([length, expected]);
    }
    expect(await outcome(whole)).toBe(60);
  });

  it("is invalid with trailing bytes, without its checksum, or with another declared size", async () => {
    const small = content.subarray(0, 20);
    for (const bad of [
      Buffer.concat([frame(), Buffer.from("x")]),
      Buffer.concat([frame(), Buffer.alloc(512)]),
      Buffer.concat([frame(), gzipSync("x")]),
      Buffer.concat([frame(), magic]),
      frame({ descriptor: 0x04 }),
      frame({ descriptor: 0x04, checksum: [1, 2, 3] }),
      frame({ descriptor: 0x08 }),
      frame({ descriptor: 0x01, header: [0x50, 7] }),
      frame({ content: small, descriptor: 0xe0, header: sized(21) }),
      frame({ content: small, descriptor: 0xc0, header: [0x50, ...sized(19)] }),
    ]) {
      expect(await outcome(bad)).toBe("MOTE_INVALID_ARCHIVE");
    }
  });

  it("is invalid, and reading ends, if one of its tables is not complete", async () => {
    const damaged = Buffer.from(
      "KLUv/WTMARUJAKLNKiBQaeugFp0LthfDKHDpxTFUQbwzY1XNI93uxkbAzO9CDehBjypirpqCxzh7HZutaseEX55yjLA7LipPOaW/SQSAxljcD13APgixUbnkvDf2E65qguDjwDAGA0bAMHA4Eu3gwZXi9F/thFosFf3Te39CuLCaLILwkr4EP+Nrq8oYbTarqooauqwvXL1TLd/bTPZBdxI7uBKMLWEj5zMvHv8Vq8sq14rlx6qiRi8gEBQEoT25ZCgt3LYhn+xqUYGzgXl5whnE1mE4Aq9kEFkk0GwgwWdogWzgEJEmWbW5DWACmuIZssIzATTChCQDzDr+0nLbTrjUc8Bh18GOHAXtssXEtgpBFybqXzH/eGnwWsTMJw6cuLB6CmTgWjAeg3kCZ3DPog==",
      "base64",
    );
    expect(await outcome(damaged)).toBe(716);
    damaged[10] = 128;
    expect(await outcome(damaged)).toBe("MOTE_INVALID_ARCHIVE");
  });

  it("is rejected before memory is allocated if any frame needs more than the limit", async () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const hostile of [
      frame({ header: [0x89] }),
      frame({ header: [0xff] }),
      frame({ descriptor: 0xa0, header: [0xff, 0xff, 0xff, 0xff] }),
      frame({ descriptor: 0xe0, header: sized(2 ** 40) }),
      frame({ descriptor: 0xe0, header: [255, 255, 255, 255, 255, 255, 255, 255] }),
    ]) {
      expect(await outcome(hostile)).toBe("MOTE_INVALID_ARCHIVE");
      expect(await outcome(Buffer.concat([frame({ content: content.subarray(0, 9) }), hostile]))).toBe(
        "MOTE_INVALID_ARCHIVE",
      );
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    expect(await outcome(frame({ header: [0x88] }))).toBe(content.byteLength);
  });
});

describe("gzip", () => {
  const one = gzipSync(content);

  it("is read to its last member, and trailing zeros are ignored", async () => {
    const two = Buffer.concat([one, gzipSync("more")]);
    expect(await outcome(two)).toBe(content.byteLength + 4);
    expect(await outcome(Buffer.concat([two, Buffer.alloc(10_000)]))).toBe(content.byteLength + 4);
  });

  it("is invalid if it is truncated or has trailing bytes", async () => {
    for (const bad of [
      one.subarray(0, -1),
      one.subarray(0, -8),
      one.subarray(0, 1000),
      Buffer.concat([one, one.subarray(0, 5)]),
      Buffer.concat([one, one.subarray(0, -3)]),
      Buffer.concat([one, Buffer.from("x")]),
      Buffer.concat([one, Buffer.alloc(5), Buffer.from("x")]),
      Buffer.concat([one, Buffer.alloc(5), one]),
      Buffer.concat([one, Buffer.alloc(2_000_000), one]),
      Buffer.concat([one, frame()]),
    ]) {
      expect(await outcome(bad)).toBe("MOTE_INVALID_ARCHIVE");
    }
  });

  it("written by gzip is read", async () => {
    writeFileSync(join(dir, "plain"), content);
    expect(await outcome(execFileSync("gzip", ["-c", join(dir, "plain")]))).toBe(content.byteLength);
  });
});
