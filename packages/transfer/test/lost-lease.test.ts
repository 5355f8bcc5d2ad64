import { type Digest, MoteError } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type TransferOptions, transfer } from "../src/index.js";
import { ResumingCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { type AddedImage, addImage } from "./memory-images.js";

let source: MemorySource;
let cache: ResumingCache;
let image: AddedImage;
let all: readonly Digest[];
beforeEach(() => {
  source = new MemorySource();
  cache = new ResumingCache();
  image = addImage(source, "v1", [5000, 3000, 10]);
  all = [image.root, image.config, ...image.layers].map(({ digest }) => digest);
});

const pull = (more: Partial<TransferOptions> = {}) =>
  transfer({ source, cache, refs: ["v1"], tags: ["name"], ...more });
/** Simulates a lease that lapsed before the `at`th renewal, and other processes that removed these digests. */
function loseAt(at: number, digests: readonly Digest[]): void {
  let renewals = 0;
  cache.renewing = () => {
    if (++renewals !== at) return true;
    for (const digest of digests) cache.drop(digest);
    return false;
  };
}
async function expectWhole(): Promise<void> {
  expect((await cache.tags.resolve("name"))?.digest).toBe(image.root.digest);
  expect(all.filter((digest) => !cache.has(digest))).toEqual([]);
  expect(cache.leases).toBe(0);
}

describe("a lease that lapsed while its process was suspended", () => {
  it("makes the transfer fetch removed content again before it sets the tag", async () => {
    const { tags } = cache;
    const tag = tags.tag.bind(tags);
    tags.tag = async (name, descriptor) => {
      expect(all.filter((digest) => !cache.has(digest))).toEqual([]);
      await tag(name, descriptor);
    };
    loseAt(
      1,
      [image.layers[0], image.config].map((each) => each?.digest as Digest),
    );
    const { warnings, fetched } = await pull();
    await expectWhole();
    // A blob counts once, its bytes as often as they were fetched.
    expect([warnings.length, fetched.count]).toEqual([1, 4]);
    expect(fetched.bytes).toBe(5000 + 3000 + 10 + 5000 + 2 * image.config.size);
  });

  it("fetches content again that was removed after the tag was set", async () => {
    loseAt(2, all);
    await pull();
    await expectWhole();
  });

  it("stores removed manifests again", async () => {
    await pull();
    await cache.tags.untag("name");
    loseAt(1, [image.root.digest]);
    await pull();
    await expectWhole();
  });

  it("of the caller is treated like its own", async () => {
    const lease = await cache.lease([]);
    loseAt(1, all);
    await pull({ lease });
    expect(all.filter((digest) => !cache.has(digest))).toEqual([]);
    expect(cache.leases).toBe(1);
  });

  it("has no effect if nothing was removed", async () => {
    loseAt(1, []);
    const { warnings, fetched } = await pull();
    expect([warnings, fetched.count]).toEqual([[], 4]);
  });

  it("repeatedly is an error", async () => {
    cache.renewing = () => {
      for (const digest of all) cache.drop(digest);
      return false;
    };
    const error = await pull().catch((thrown: unknown) => thrown);
    expect(MoteError.isInstance(error) && error.code).toBe("MOTE_IO");
    expect(cache.leases).toBe(0);
  });

  it("that cannot be renewed causes a warning, and all content is checked", async () => {
    let renewals = 0;
    cache.renewing = () => {
      if (++renewals > 1) return true;
      for (const digest of all) cache.drop(digest);
      throw new MoteError("MOTE_NO_SPACE", "the disk is full");
    };
    expect((await pull()).warnings[0]).toContain("the disk is full");
    await expectWhole();
  });

  it("stores no manifest without its blobs, if there is a destination", async () => {
    const destination = new MemoryDestination();
    loseAt(1, [image.config.digest]);
    await pull({ destination });
    expect(cache.has(image.root.digest)).toBe(false);
    expect(destination.contents.has(image.root.digest)).toBe(true);
  });
});

it("a lease that cannot be acquired causes a warning, and all content is checked before the tag is set", async () => {
  cache.lease = () => Promise.reject(new MoteError("MOTE_TIMEOUT", "a prune does not continue"));
  const { tags } = cache;
  const blob = source.blob.bind(source);
  let isFirst = true;
  source.blob = (async (...given: Parameters<typeof blob>) => {
    if (!isFirst) cache.drop(image.config.digest);
    isFirst = false;
    return blob(...given);
  }) as typeof source.blob;
  await pull({ concurrency: 1 });
  expect((await tags.resolve("name"))?.digest).toBe(image.root.digest);
  expect(all.filter((digest) => !cache.has(digest))).toEqual([]);
});
