import { type Digest, type Lease, MoteError } from "@mote/core";
import type { Job } from "./job.js";

/** How often what was removed from the cache under a transfer is fetched again. */
const maxRounds = 3;

/** Keeps prune away from what is there and still needed. */
export class TransferLease {
  readonly #job: Job;
  readonly #lease: Lease | undefined;
  readonly #isOwn: boolean;
  #isLost: boolean;

  private constructor(job: Job, lease: Lease | undefined, is: { readonly own: boolean; readonly lost: boolean }) {
    this.#job = job;
    this.#lease = lease;
    this.#isOwn = is.own;
    this.#isLost = is.lost;
  }

  /** @param given the caller's lease, which is added to and not released */
  static async take(job: Job, needed: readonly Digest[], given: Lease | undefined): Promise<TransferLease> {
    const { cache, signal } = job;
    const own = given === undefined;
    try {
      if (given === undefined)
        return new TransferLease(job, await cache.lease?.(needed, { signal }), { own, lost: false });
      await Promise.all(needed.map((digest) => given.add(digest)));
      return new TransferLease(job, given, { own, lost: false });
    } catch (error) {
      signal.throwIfAborted();
      job.warn("the cache cannot hold on to what is being moved", error);
      return new TransferLease(job, undefined, { own, lost: true });
    }
  }

  /**
   * Ends the transfer with `finish`. Where what is needed may not have been held all the time, as the process was suspended for long,
   * `restore` comes first; and where that was so while it was finished, it is finished again.
   * @throws MOTE_IO where the cache loses again and again what it is given
   */
  async finish(steps: { readonly restore: () => Promise<void>; readonly finish: () => Promise<void> }): Promise<void> {
    for (let round = 1; ; round++) {
      if (await this.#wasLost()) await steps.restore();
      await steps.finish();
      if (this.#lease === undefined || this.#job.destination !== undefined) return;
      this.#isLost = await this.#wasLost();
      if (!this.#isLost) return;
      if (round === maxRounds) throw lostForGood();
    }
  }

  async release(): Promise<void> {
    if (!this.#isOwn) return;
    await this.#lease
      ?.release()
      .catch((error: unknown) => this.#job.warn("the cache cannot let go of what was moved", error));
  }

  /** Since it was last asked. From now on it is held. */
  async #wasLost(): Promise<boolean> {
    const wasLost = this.#isLost;
    this.#isLost = false;
    const { signal } = this.#job;
    try {
      return (await this.#lease?.renew?.({ signal })) === false || wasLost;
    } catch (error) {
      signal.throwIfAborted();
      this.#job.warn("the cache cannot hold on to what is being moved", error);
      return true;
    }
  }
}

function lostForGood(): MoteError {
  return new MoteError(
    "MOTE_IO",
    "other processes removed what was fetched from the cache again and again, as this process was suspended; try again",
  );
}
