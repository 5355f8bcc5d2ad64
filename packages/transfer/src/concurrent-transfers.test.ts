import { type Digest, MoteError } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryCache, ResumingCache } from "../test/memory-cache.js";
import { MemoryDestination, MemorySource } from "../test/memory-endpoints.js";
import { type AddedImage, addImage, someBytes } from "../test/memory-images.js";
import { type TransferEvent, type TransferOptions, transfer } from "./index.js";

let source: MemorySource;
let destination: MemoryDestination;
let cache: MemoryCache;
let image: AddedImage;

beforeEach(() => {
  source = new MemorySource();
  destination = new MemoryDestination();
  cache = new MemoryCache();
  image = addImage(source, "v1", [5000, 3000, 1]);
});

function pull(more: Partial<TransferOptions> = {}) {
  return transfer({ source, destination, cache, refs: ["v1"], ...more });
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return "nothing was thrown";
}

async function expectNothingWrong(): Promise<void> {
  expect([...destination.tags]).toEqual([]);
  expect(await destination.isWhole()).toBe(true);
  expect(destination.openStreams).toBe(0);
  expect(cache.openWriters).toBe(0);
}

function blobsOf({ config, layers }: AddedImage): readonly Digest[] {
  return [config, ...layers].map(({ digest }) => digest);
}

describe("an abort", () => {
  it("rejects with its reason and leaves no partial content", async () => {
    const reason = new Error("aborted");
    const controller = new AbortController();
    source.gate = async (_, at) => {
      if (at >= 2000) controller.abort(reason);
    };
    expect(await codeOf(pull({ signal: controller.signal }))).toBe(reason);
    await expectNothingWrong();
  });

  for (const where of ["resolve", "manifest", "blob", "verify"] as const) {
    it(`ends a transfer that waits for code which ignores the signal (${where})`, async () => {
      const reason = new Error("aborted");
      const controller = new AbortController();
      const never = () => {
        setImmediate(() => controller.abort(reason));
        return new Promise<never>(() => {});
      };
      if (where !== "verify") source[where] = never;
      const verify = where === "verify" ? never : undefined;
      expect(await codeOf(pull({ signal: controller.signal, verify }))).toBe(reason);
      await expectNothingWrong();
    });
  }

  it("before the start causes no requests", async () => {
    const reason = new Error("aborted before the start");
    expect(await codeOf(pull({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(source.manifestsAsked).toEqual([]);
  });

  it("keeps received bytes in a cache that can resume, and the next transfer fetches only the rest", async () => {
    cache = new ResumingCache();
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.breaks.set(layer.digest, { after: 3000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
    expect(await codeOf(pull())).toBe("MOTE_UNREACHABLE");
    expect(cache.suspended.get(layer.digest)?.byteLength).toBe(3000);
    source.breaks.clear();
    const events: TransferEvent[] = [];
    const report = await pull({ onEvent: (event) => events.push(event) });
    expect(source.asked.filter(({ digest }) => digest === layer.digest).map(({ start }) => start)).toEqual([0, 3000]);
    expect(events).toContainEqual({ type: "resume", digest: layer.digest, size: 5000, offset: 3000 });
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
    expect(report.warnings).toEqual([]);
  });

  it("followed by damage to the ingest file causes one more fetch and no wrong bytes", async () => {
    cache = new ResumingCache();
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    cache.suspended.set(layer.digest, someBytes(3000, 12345));
    await pull();
    expect(source.asked.filter(({ digest }) => digest === layer.digest).map(({ start }) => start)).toEqual([3000, 0]);
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
  });
});

describe("several transfers that share a cache", () => {
  it("fetch each blob once", async () => {
    const destinations = Array.from({ length: 5 }, () => new MemoryDestination());
    await Promise.all(destinations.map((one) => pull({ destination: one })));
    for (const digest of blobsOf(image)) expect(source.timesAsked(digest)).toBe(1);
    for (const one of destinations) {
      expect(one.tags.get("v1")).toEqual(image.root);
      expect(await one.isWhole()).toBe(true);
    }
  });

  it("are independent of each other's abort: the fetch continues for the others", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    const reason = new Error("the first caller aborted");
    const controller = new AbortController();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = () => {};
    const halfway = new Promise<void>((resolve) => {
      reached = resolve;
    });
    source.gate = async (digest, at) => {
      if (digest !== layer.digest || at < 2000) return;
      reached();
      await held;
    };
    const first = codeOf(pull({ signal: controller.signal }));
    await halfway;
    const other = new MemoryDestination();
    let started = () => {};
    const joined = new Promise<void>((resolve) => {
      started = resolve;
    });
    const second = pull({
      destination: other,
      onEvent: (event) => {
        if (event.type === "start" && event.digest === layer.digest) started();
      },
    });
    await joined;
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    expect(await first).toBe(reason);
    release();
    await second;
    expect(source.timesAsked(layer.digest)).toBe(1);
    expect(other.tags.get("v1")).toEqual(image.root);
    expect(destination.tags.size).toBe(0);
    expect(destination.openStreams).toBe(0);
  });

  it("do not share errors: each waiting transfer uses its own source", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    const broken = new MemorySource();
    addImage(broken, "v1", [5000, 3000, 1]);
    broken.breaks.set(layer.digest, { after: 2000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
    const other = new MemoryDestination();
    const results = await Promise.allSettled([
      pull({ source: broken, destination: new MemoryDestination() }),
      pull({ destination: other }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(other.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
  });
});

describe("a lease", () => {
  it("covers all content until it is tagged", async () => {
    const resuming = new ResumingCache();
    destination.tag = async () => {
      expect(resuming.leases).toBe(1);
    };
    await pull({ cache: resuming });
    expect(new Set(resuming.leased)).toEqual(new Set([...blobsOf(image), image.root.digest]));
    expect(resuming.leases).toBe(0);
  });
});
