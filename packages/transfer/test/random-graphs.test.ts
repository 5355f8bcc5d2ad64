import { childDescriptors, type Descriptor, isManifestType, MoteError, mediaTypes, parseManifest } from "@mote/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryCache, ResumingCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addIndex, addManifest, someBytes } from "./memory-images.js";

/** Numbers that select items, modulo the number of items. */
const shape = fc.record({
  blobs: fc.array(fc.nat(5000), { minLength: 1, maxLength: 6 }),
  manifests: fc.array(fc.array(fc.nat(), { maxLength: 5 }), { minLength: 1, maxLength: 5 }),
  indexes: fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), { maxLength: 4 }),
  roots: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
  cached: fc.array(fc.nat(), { maxLength: 4 }),
  there: fc.array(fc.nat(), { maxLength: 4 }),
  concurrency: fc.integer({ min: 1, max: 8 }),
  resumes: fc.boolean(),
});

type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

function pick<T>(from: readonly T[], at: number): T {
  const found = from[at % from.length];
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
}

function build(chosen: Shape) {
  const source = new MemorySource();
  const cache = chosen.resumes ? new ResumingCache() : new MemoryCache();
  const destination = new MemoryDestination();
  const blobs = chosen.blobs.map((size, at) => source.add(someBytes(size, at), mediaTypes.ociLayer));
  const graph: Descriptor[] = chosen.manifests.map((layers) =>
    addManifest(
      source,
      pick(blobs, layers.length),
      layers.map((at) => pick(blobs, at)),
    ),
  );
  for (const below of chosen.indexes)
    graph.push(
      addIndex(
        source,
        below.map((at) => pick(graph, at)),
      ),
    );
  const refs = chosen.roots.map((at, number) => {
    source.tags.set(`v${number}`, pick(graph, at));
    return `v${number}`;
  });
  for (const at of chosen.cached) {
    const { digest, mediaType } = pick([...blobs, ...graph], at);
    cache.plant(digest, source.contents.get(digest) ?? new Uint8Array(), mediaType);
  }
  for (const at of chosen.there) {
    const { digest } = pick(blobs, at);
    destination.contents.set(digest, source.contents.get(digest) ?? new Uint8Array());
  }
  return { source, cache, destination, refs, concurrency: chosen.concurrency };
}

/** Returns the manifests and blobs of a root, each after what it refers to. */
function below(source: MemorySource, descriptor: Descriptor): readonly Descriptor[] {
  const bytes = source.contents.get(descriptor.digest);
  if (!isManifestType(descriptor.mediaType) || bytes === undefined) return [descriptor];
  const children = childDescriptors(parseManifest(bytes, descriptor.mediaType));
  return [...children.flatMap((child) => below(source, child)), descriptor];
}

async function expectWhole(source: MemorySource, destination: MemoryDestination): Promise<void> {
  const missing = [...source.tags.values()]
    .flatMap((root) => below(source, root))
    .filter(({ digest }) => !destination.contents.has(digest));
  expect(missing).toEqual([]);
  expect(await destination.isWhole()).toBe(true);
}

it("any manifest graph is moved completely and in order, without fetching a blob twice or one that the cache or destination has", async () => {
  await fc.assert(
    fc.asyncProperty(shape, async (chosen) => {
      const { source, cache, destination, refs, concurrency } = build(chosen);
      const had = new Set([...cache.digests, ...destination.contents.keys()]);
      const report = await transfer({ source, cache, destination, refs, concurrency });
      await expectWhole(source, destination);
      expect([...destination.tags]).toEqual([...source.tags]);
      const placeOf = ({ digest }: Descriptor) => destination.order.indexOf(digest);
      for (const root of source.tags.values()) {
        for (const parent of below(source, root)) {
          for (const child of below(source, parent).slice(0, -1)) expect(placeOf(child)).toBeLessThan(placeOf(parent));
        }
      }
      for (const { digest } of source.asked) {
        expect(source.timesAsked(digest)).toBe(1);
        expect(had.has(digest)).toBe(false);
      }
      // An empty blob needs no request.
      expect(report.fetched.count).toBeGreaterThanOrEqual(source.asked.length);
      expect(report.warnings).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

it("after any interruption of the source, nothing wrong is stored, and the next attempt succeeds", async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.nat(20), fc.boolean(), async (chosen, chunk, cancels) => {
      const { source, cache, destination, refs, concurrency } = build(chosen);
      const failure = new MoteError("MOTE_UNREACHABLE", "connection reset");
      const controller = new AbortController();
      let seen = 0;
      source.gate = async () => {
        if (seen++ < chunk) return;
        if (cancels) controller.abort(failure);
        throw failure;
      };
      const parts = { source, cache, destination, refs, concurrency, signal: controller.signal };
      const outcome = await transfer(parts).then(
        () => "arrived",
        (error: unknown) => error,
      );
      if (outcome !== "arrived") {
        expect(outcome).toMatchObject({ code: "MOTE_UNREACHABLE" });
        expect([...destination.tags]).toEqual([]);
      }
      expect(await destination.isWhole()).toBe(true);
      expect(destination.openStreams).toBe(0);
      expect(cache.openWriters).toBe(0);
      source.gate = async () => {};
      await transfer({ ...parts, signal: undefined });
      await expectWhole(source, destination);
    }),
    { numRuns: 150 },
  );
});

it("after any abort of some of several transfers, the others succeed, and each rejects with its own reason", async () => {
  const leaving = fc.array(fc.option(fc.nat(12), { nil: undefined }), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(shape, leaving, async (chosen, leaveAfter) => {
      const { source, cache, refs, concurrency } = build(chosen);
      let seen = 0;
      const callers = leaveAfter.map((after, number) => ({
        after,
        controller: new AbortController(),
        reason: new Error(`caller ${number} aborted`),
        destination: new MemoryDestination(),
      }));
      source.gate = async () => {
        seen += 1;
        for (const { after, controller, reason } of callers) if (after === seen) controller.abort(reason);
        await new Promise((resolve) => setImmediate(resolve));
      };
      const outcomes = await Promise.all(
        callers.map(({ destination, controller }) =>
          transfer({ source, cache, destination, refs, concurrency, signal: controller.signal }).then(
            () => "arrived",
            (error: unknown) => error,
          ),
        ),
      );
      for (const [number, { destination, controller, reason }] of callers.entries()) {
        const arrived = outcomes[number] === "arrived";
        if (!arrived) expect([outcomes[number], controller.signal.aborted]).toEqual([reason, true]);
        if (arrived) await expectWhole(source, destination);
        else expect([...destination.tags]).toEqual([]);
        expect(await destination.isWhole()).toBe(true);
        expect(destination.openStreams).toBe(0);
      }
      expect(cache.openWriters).toBe(0);
    }),
    { numRuns: 200 },
  );
});
