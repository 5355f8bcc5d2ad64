import { describe, expect, it } from "vitest";
import { BytesReader } from "./bytes-reader.js";
import type { ContentSource } from "./content.js";
import { digestBytes } from "./digest.js";
import { fetchIntoCache } from "./fetch-into-cache.js";
import { mediaTypes } from "./media-type.js";
import { NilCache } from "./nil-cache.js";

const bytes = new TextEncoder().encode("the bytes of a small blob");
const descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(bytes), size: bytes.byteLength };

type Source = Pick<ContentSource, "blob">;

/** A source that has its bytes in memory when it is opened. */
function sourceOf(content: Uint8Array): Source {
  const { digest, mediaType } = descriptor;
  return {
    blob: async (_, { start = 0 } = {}) =>
      new BytesReader({ digest, mediaType, size: bytes.byteLength }, content, { start }),
  };
}

const failing: Source = { blob: () => Promise.reject(new Error("this source is down")) };

/** Fetches from these sources, and returns what the feed received. */
async function fetchFrom(...sources: readonly Source[]) {
  const seen: number[] = [];
  const switches: number[] = [];
  const received: number[] = [];
  let closed = 0;
  await fetchIntoCache({
    sources: async function* () {
      try {
        yield* sources;
      } finally {
        closed += 1;
      }
    },
    onSwitch: (_, offset) => void switches.push(offset),
    cache: new NilCache(),
    descriptor,
    signal: new AbortController().signal,
    onEvent: undefined,
    begin: () => ({ push: (chunk) => void seen.push(...chunk), end: () => {}, fail: () => {} }),
    onBytes: () => {},
    onReceived: (count) => void received.push(count),
  });
  return { seen: Uint8Array.from(seen), switches, received, closed };
}

describe("a blob that the source has in memory", () => {
  it("is stored at once, and fed and counted once", async () => {
    const { seen, ...counts } = await fetchFrom(sourceOf(bytes), failing);
    expect(seen).toEqual(bytes);
    expect(counts).toEqual({ switches: [], received: [bytes.byteLength], closed: 1 });
  });

  it("is continued at the next source if some of it is missing", async () => {
    const { seen, switches, received } = await fetchFrom(sourceOf(bytes.subarray(0, 10)), sourceOf(bytes));
    expect(seen).toEqual(bytes);
    expect(switches).toEqual([10]);
    expect(received).toEqual([10, bytes.byteLength - 10]);
  });

  it("is taken from the next source if the first cannot be opened", async () => {
    const { seen, switches } = await fetchFrom(failing, sourceOf(bytes));
    expect(seen).toEqual(bytes);
    expect(switches).toEqual([0]);
    await expect(fetchFrom(failing, failing)).rejects.toThrow("this source is down");
  });

  it("is rejected if its bytes are wrong", async () => {
    await expect(fetchFrom(sourceOf(bytes.map(() => 0)))).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
  });
});
