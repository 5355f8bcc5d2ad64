import { describe, expect, it } from "vitest";
import { digestBytes } from "./digest.js";
import { mediaTypes } from "./media-type.js";
import { ReadOnceReader } from "./read-once-reader.js";

const info = { digest: digestBytes(new Uint8Array(2)), size: 2, mediaType: mediaTypes.octetStream };

class Reader extends ReadOnceReader {
  releases = 0;
  fail: Error | undefined;

  constructor() {
    super(info);
  }

  protected async *chunks() {
    yield new Uint8Array(1);
    if (this.fail) throw this.fail;
    yield new Uint8Array(1);
  }

  protected override release() {
    this.releases += 1;
  }
}

async function bytesOf(reader: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of reader) bytes += chunk.byteLength;
  return bytes;
}

describe("a reader", () => {
  it("can be read once and releases its resources once", async () => {
    const reader = new Reader();
    expect(await bytesOf(reader)).toBe(2);
    await reader.close();
    await reader.close();
    expect(reader.releases).toBe(1);
    await expect(bytesOf(reader)).rejects.toMatchObject({ code: "MOTE_CLOSED" });
  });

  it("cannot be read after it is closed", async () => {
    const reader = new Reader();
    await reader.close();
    await expect(bytesOf(reader)).rejects.toMatchObject({ code: "MOTE_CLOSED" });
  });

  it("throws if it is closed while it is read", async () => {
    const reader = new Reader();
    const chunks = reader[Symbol.asyncIterator]();
    await chunks.next();
    await reader.close();
    await expect(chunks.next()).rejects.toMatchObject({ code: "MOTE_CLOSED" });
  });

  it("is closed when its read is aborted or fails", async () => {
    const one = new Reader();
    for await (const _ of one) break;
    expect(one.releases).toBe(1);
    const other = new Reader();
    other.fail = new Error("broken");
    await expect(bytesOf(other)).rejects.toThrow("broken");
    expect(other.releases).toBe(1);
  });
});
