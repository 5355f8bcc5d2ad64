import { type Digest, hasCode, type MoteCache } from "@mote/core";
import fc from "fast-check";
import { collect, mediaType, put, putResumed, readAll, type Sample, sameBytes, sample } from "./sample-motes.js";

export interface SharedWorkload {
  /** Must be different in each process. */
  readonly seed: number;
  /** Default: 150. */
  readonly steps?: number | undefined;
}

const sizes = [0, 10, 5000, 70_000, 300_000];
const kinds = [
  "put",
  "put",
  "read",
  "read",
  "remove",
  "prune",
  "verify",
  "tag",
  "lead",
  "resume",
  "own put",
  "own read",
  "own remove",
] as const;
const step = fc.record({
  kind: fc.constantFrom(...kinds),
  number: fc.nat({ max: sizes.length - 1 }),
  maxSize: fc.nat({ max: 600_000 }),
});

/**
 * Tests a store that several processes use concurrently: run it in each of them, with its own cache over the same store. Motes that
 * all processes put, read, remove and prune must be complete or absent. Motes that only this process uses, and has leased, must be
 * those of a `Map`, even if other processes prune.
 * @returns how often each step was executed
 * @throws Error that names the violated promise
 */
export async function useSharedCache(
  cache: MoteCache,
  { seed, steps = 150 }: SharedWorkload,
): Promise<Record<string, number>> {
  const own = sizes.map((size, n) => sample(`own ${seed} ${n}`, size + 40));
  await using lease = await cache.lease?.(own.map(({ digest }) => digest));
  const isLeased = lease !== undefined;
  const model = new Set<Digest>();
  /** Checks the bytes of a mote. Returns whether it exists. */
  const readOrAbsent = async ({ digest, bytes }: Sample): Promise<boolean> => {
    try {
      assertPromise(sameBytes(await readAll(cache, digest), bytes), `${digest} has other bytes`);
      return true;
    } catch (error) {
      if (!hasCode(error, "MOTE_NOT_FOUND")) throw error;
      return false;
    }
  };
  const act: Record<(typeof kinds)[number], (n: number, maxSize: number) => Promise<void>> = {
    put: async (n) => void (await put(cache, shared(n))),
    read: async (n) => void (await readOrAbsent(shared(n))),
    remove: (n) => cache.removeMote(shared(n).digest),

    async prune(_, maxSize) {
      const { removed } = await cache.prune(maxSize);
      const leased = own.filter(({ digest }) => removed.some((info) => info.digest === digest));
      assertPromise(!isLeased || leased.length === 0, "prune removed a leased mote");
    },

    async verify() {
      const report = await cache.verify?.();
      assertPromise(
        (report?.damaged.length ?? 0) === 0 && (report?.failed.length ?? 0) === 0,
        `verify found ${JSON.stringify(report)}`,
      );
    },

    /** Checks that this process's own tag of a leased mote is not removed. */
    async tag(n) {
      const { tags } = cache;
      const { digest, bytes } = pick(own, n);
      if (tags === undefined) return;
      await tags.tag(`own-${seed}`, { mediaType, digest, size: bytes.byteLength });
      await tags.tag("shared", { mediaType, digest: shared(n).digest, size: shared(n).bytes.byteLength });
      const found = (await tags.resolve(`own-${seed}`))?.digest;
      assertPromise(!isLeased || found === digest, `an own tag resolves to ${found}`);
    },

    /** Checks that a leader, a follower and a reader get the same bytes. */
    async lead(n) {
      const { digest, bytes } = shared(n);
      const writer = await cache.leadMote?.({ digest, mediaType, size: bytes.byteLength });
      if (writer !== undefined) {
        await using _ = writer;
        await writer.write(bytes.subarray(writer.offset));
        await writer.close();
        return;
      }
      try {
        const follower = await cache.followMote?.(digest);
        if (follower !== undefined)
          assertPromise(sameBytes(await collect(follower), bytes), "a follower read other bytes");
      } catch (error) {
        if (!hasCode(error, "MOTE_WRITER_GONE", "MOTE_NOT_FOUND")) throw error;
      }
    },

    async resume(n) {
      if (await putResumed(cache, pick(own, n))) model.add(pick(own, n).digest);
    },

    async "own put"(n) {
      await put(cache, pick(own, n));
      model.add(pick(own, n).digest);
    },

    async "own read"(n) {
      const mote = pick(own, n);
      const exists = await readOrAbsent(mote);
      assertPromise(
        !isLeased || exists === model.has(mote.digest),
        `${mote.digest} ${exists ? "exists" : "does not exist"}`,
      );
    },

    async "own remove"(n) {
      await cache.removeMote(pick(own, n).digest);
      model.delete(pick(own, n).digest);
    },
  };
  const counts: Record<string, number> = {};
  for (const { kind, number, maxSize } of fc.sample(step, { seed, numRuns: steps })) {
    await act[kind](number, maxSize);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  for (const n of sizes.keys()) await act["own read"](n, 0);
  return counts;
}

function shared(n: number): Sample {
  return pick(sharedMotes, n);
}

const sharedMotes = sizes.map((size, n) => sample(`shared ${n}`, size));

function pick(motes: readonly Sample[], n: number): Sample {
  const mote = motes[n];
  if (mote === undefined) throw new RangeError(`there is no mote ${n}`);
  return mote;
}

function assertPromise(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`a promise is violated: ${otherwise}`);
}
