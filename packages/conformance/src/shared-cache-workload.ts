import { type Digest, hasCode, type Lease, type MoteCache } from "@mote/core";
import fc from "fast-check";
import { collect, mediaType, put, readAll, type Sample, sameBytes, sample } from "./sample-motes.js";

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
  const user = new SharedUser(cache, { seed, own, lease });
  const counts: Record<string, number> = {};
  for (const { kind, number, maxSize } of fc.sample(step, { seed, numRuns: steps })) {
    await user[kind](number, maxSize);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  for (const n of sizes.keys()) await user["own read"](n);
  return counts;
}

class SharedUser {
  readonly #cache: MoteCache;
  readonly #seed: number;
  readonly #own: readonly Sample[];
  readonly #isLeased: boolean;
  readonly #model = new Set<Digest>();

  constructor(
    cache: MoteCache,
    of: { readonly seed: number; readonly own: readonly Sample[]; readonly lease: Lease | undefined },
  ) {
    this.#cache = cache;
    this.#seed = of.seed;
    this.#own = of.own;
    this.#isLeased = of.lease !== undefined;
  }

  async put(n: number): Promise<void> {
    await put(this.#cache, shared(n));
  }

  async read(n: number): Promise<void> {
    await this.#readOrAbsent(shared(n));
  }

  async remove(n: number): Promise<void> {
    await this.#cache.removeMote(shared(n).digest);
  }

  async prune(_: number, maxSize: number): Promise<void> {
    const { removed } = await this.#cache.prune(maxSize);
    const leased = this.#own.filter(({ digest }) => removed.some((info) => info.digest === digest));
    assertPromise(!this.#isLeased || leased.length === 0, "prune removed a leased mote");
  }

  async verify(): Promise<void> {
    const report = await this.#cache.verify?.();
    assertPromise(
      (report?.damaged.length ?? 0) === 0 && (report?.failed.length ?? 0) === 0,
      `verify found ${JSON.stringify(report)}`,
    );
  }

  /** Checks that this process's own tag of a leased mote is not removed. */
  async tag(n: number): Promise<void> {
    const { tags } = this.#cache;
    const { digest, bytes } = pick(this.#own, n);
    if (tags === undefined) return;
    await tags.tag(`own-${this.#seed}`, { mediaType, digest, size: bytes.byteLength });
    await tags.tag("shared", { mediaType, digest: shared(n).digest, size: shared(n).bytes.byteLength });
    const found = (await tags.resolve(`own-${this.#seed}`))?.digest;
    assertPromise(!this.#isLeased || found === digest, `an own tag resolves to ${found}`);
  }

  /** Checks that a leader, a follower and a reader get the same bytes. */
  async lead(n: number): Promise<void> {
    const { digest, bytes } = shared(n);
    const writer = await this.#cache.leadMote?.({ digest, mediaType, size: bytes.byteLength });
    if (writer !== undefined) {
      await using _ = writer;
      await writer.write(bytes.subarray(writer.offset));
      await writer.close();
      return;
    }
    try {
      const follower = await this.#cache.followMote?.(digest);
      if (follower !== undefined)
        assertPromise(sameBytes(await collect(follower), bytes), "a follower read other bytes");
    } catch (error) {
      if (!hasCode(error, "MOTE_WRITER_GONE") && !hasCode(error, "MOTE_NOT_FOUND")) throw error;
    }
  }

  async resume(n: number): Promise<void> {
    const { digest, bytes } = pick(this.#own, n);
    if (this.#cache.resumeMote === undefined) return;
    const mote = { digest, mediaType, size: bytes.byteLength };
    const first = await this.#cache.resumeMote(mote);
    await first.write(bytes.subarray(first.offset, Math.max(first.offset, bytes.byteLength >> 1)));
    await first.suspend();
    await using second = await this.#cache.resumeMote(mote);
    await second.write(bytes.subarray(second.offset));
    await second.close();
    this.#model.add(digest);
  }

  async "own put"(n: number): Promise<void> {
    await put(this.#cache, pick(this.#own, n));
    this.#model.add(pick(this.#own, n).digest);
  }

  async "own read"(n: number): Promise<void> {
    const mote = pick(this.#own, n);
    const exists = await this.#readOrAbsent(mote);
    assertPromise(
      !this.#isLeased || exists === this.#model.has(mote.digest),
      `${mote.digest} ${exists ? "exists" : "does not exist"}`,
    );
  }

  async "own remove"(n: number): Promise<void> {
    await this.#cache.removeMote(pick(this.#own, n).digest);
    this.#model.delete(pick(this.#own, n).digest);
  }

  /**
   * Checks the bytes of a mote.
   * @returns whether it exists
   */
  async #readOrAbsent({ digest, bytes }: Sample): Promise<boolean> {
    try {
      assertPromise(sameBytes(await readAll(this.#cache, digest), bytes), `${digest} has other bytes`);
      return true;
    } catch (error) {
      if (!hasCode(error, "MOTE_NOT_FOUND")) throw error;
      return false;
    }
  }
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
