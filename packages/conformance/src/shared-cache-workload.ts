import { type Digest, type Lease, type MoteCache, MoteError } from "@mote/core";
import fc from "fast-check";
import { collect, mediaType, put, readAll, type Sample, sameBytes, sample } from "./sample-motes.js";

export interface SharedWorkload {
  /** Another one for each process. */
  readonly seed: number;
  /** Default 150. */
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
 * What holds for one of any number of processes that use one store at once: run it in each of them, with a cache of its own over the
 * same store. Motes that all of them put, read, remove and prune are whole or absent; those that this one alone uses, and holds by a lease,
 * are as a `Map` would have them, whatever the others prune.
 * @returns how often each step was taken
 * @throws Error that says which promise was broken
 */
export async function useSharedCache(
  cache: MoteCache,
  { seed, steps = 150 }: SharedWorkload,
): Promise<Record<string, number>> {
  const own = sizes.map((size, n) => sample(`own ${seed} ${n}`, size + 40));
  await using lease = await cache.lease?.(own.map(({ digest }) => digest));
  const user = new SharedUser(cache, { seed, own, lease });
  const taken: Record<string, number> = {};
  for (const { kind, number, maxSize } of fc.sample(step, { seed, numRuns: steps })) {
    await user[kind](number, maxSize);
    taken[kind] = (taken[kind] ?? 0) + 1;
  }
  for (const n of sizes.keys()) await user["own read"](n);
  return taken;
}

class SharedUser {
  readonly #cache: MoteCache;
  readonly #seed: number;
  readonly #own: readonly Sample[];
  readonly #isHeld: boolean;
  readonly #model = new Set<Digest>();

  constructor(
    cache: MoteCache,
    of: { readonly seed: number; readonly own: readonly Sample[]; readonly lease: Lease | undefined },
  ) {
    this.#cache = cache;
    this.#seed = of.seed;
    this.#own = of.own;
    this.#isHeld = of.lease !== undefined;
  }

  async put(n: number): Promise<void> {
    await put(this.#cache, shared(n));
  }

  async read(n: number): Promise<void> {
    await this.#isWholeOrAbsent(shared(n));
  }

  async remove(n: number): Promise<void> {
    await this.#cache.removeMote(shared(n).digest);
  }

  async prune(_: number, maxSize: number): Promise<void> {
    const { removed } = await this.#cache.prune(maxSize);
    const mine = this.#own.filter(({ digest }) => removed.some((info) => info.digest === digest));
    promise(!this.#isHeld || mine.length === 0, "prune removed what is leased");
  }

  async verify(): Promise<void> {
    const report = await this.#cache.verify?.();
    promise(
      (report?.damaged.length ?? 0) === 0 && (report?.failed.length ?? 0) === 0,
      `verify found ${JSON.stringify(report)}`,
    );
  }

  /** A name of one's own that names what is held stays. */
  async tag(n: number): Promise<void> {
    const { tags } = this.#cache;
    const { digest, bytes } = pick(this.#own, n);
    if (tags === undefined) return;
    await tags.tag(`own-${this.#seed}`, { mediaType, digest, size: bytes.byteLength });
    await tags.tag("shared", { mediaType, digest: shared(n).digest, size: shared(n).bytes.byteLength });
    const found = (await tags.resolve(`own-${this.#seed}`))?.digest;
    promise(!this.#isHeld || found === digest, `a tag of one's own names ${found}`);
  }

  /** Led, followed, or there already: the bytes are the same. */
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
      if (follower !== undefined) promise(sameBytes(await collect(follower), bytes), "a follower got other bytes");
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
    const isThere = await this.#isWholeOrAbsent(mote);
    promise(
      !this.#isHeld || isThere === this.#model.has(mote.digest),
      `${mote.digest} is ${isThere ? "there" : "gone"}`,
    );
  }

  async "own remove"(n: number): Promise<void> {
    await this.#cache.removeMote(pick(this.#own, n).digest);
    this.#model.delete(pick(this.#own, n).digest);
  }

  /** @returns whether it is there */
  async #isWholeOrAbsent({ digest, bytes }: Sample): Promise<boolean> {
    try {
      promise(sameBytes(await readAll(this.#cache, digest), bytes), `${digest} has other bytes`);
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

function hasCode(error: unknown, code: string): boolean {
  return MoteError.isInstance(error) && error.code === code;
}

function promise(isKept: boolean, otherwise: string): void {
  if (!isKept) throw new Error(`a promise is broken: ${otherwise}`);
}
