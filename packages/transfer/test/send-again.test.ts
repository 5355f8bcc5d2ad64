import { type Cancellable, type Descriptor, MoteError, NilCache } from "@mote/core";
import { describe, expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addImage } from "./memory-images.js";

const lost = new MoteError("MOTE_UPLOAD_LOST", "lost");
const doesNotAddUp = new MoteError("MOTE_DIGEST_MISMATCH", "another digest", { details: { mayResend: true } });
const isWrong = new MoteError("MOTE_DIGEST_MISMATCH", "another digest");

/** A destination that reads a blob and then fails with the next of `blobFailures`. */
class FailingDestination extends MemoryDestination {
  readonly blobFailures: MoteError[];

  constructor(blobFailures: MoteError[]) {
    super();
    this.blobFailures = blobFailures;
  }

  override async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options?: Cancellable): Promise<void> {
    const failure = this.blobFailures.shift();
    if (failure === undefined) return super.blob(descriptor, chunks, options);
    for await (const _ of chunks) {
      // read all chunks
    }
    throw failure;
  }
}

const caches = [
  ["a cache", () => new MemoryCache()],
  ["no cache", () => new NilCache()],
] as const;

describe("a blob that the destination loses", () => {
  it.each(caches)("is sent again, with %s", async (_, open) => {
    for (const failure of [lost, doesNotAddUp]) {
      const source = new MemorySource();
      addImage(source, "v1", [5000]);
      const destination = new FailingDestination([failure, failure]);
      await transfer({ source, destination, cache: open(), refs: ["v1"] });
      expect(destination.blobFailures).toEqual([]);
      expect(destination.tags.has("v1")).toBe(true);
    }
  });

  it.each(caches)("is sent at most three times, and only if sending it again may succeed, with %s", async (_, open) => {
    for (const [failure, code, left] of [
      [lost, "MOTE_REGISTRY", 0],
      [doesNotAddUp, "MOTE_REGISTRY", 0],
      [isWrong, "MOTE_DIGEST_MISMATCH", 2],
    ] as const) {
      const source = new MemorySource();
      addImage(source, "v1", []);
      const destination = new FailingDestination([failure, failure, failure]);
      const transferring = transfer({ source, destination, cache: open(), refs: ["v1"] });
      await expect(transferring).rejects.toMatchObject({ code });
      expect(destination.blobFailures).toHaveLength(left);
    }
  });
});
