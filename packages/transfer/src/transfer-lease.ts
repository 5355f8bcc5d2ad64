import { type Digest, type Lease, MoteError } from "@mote/core";
import type { Job } from "./job.js";

/** How often content that was removed during a transfer is fetched again. */
const maxRounds = 3;

/** Leases the content of a transfer, so that prune does not remove it. */
export class TransferLease {
  readonly #job: Job;
  readonly #lease: Lease | undefined;
  readonly #isOwn: boolean;
  #isLapsed: boolean;

  private constructor(job: Job, lease: Lease | undefined, state: { readonly own: boolean; readonly lapsed: boolean }) {
    this.#job = job;
    this.#lease = lease;
    this.#isOwn = state.own;
    this.#isLapsed = state.lapsed;
  }

  /** @param given the caller's lease, to which the content is added; it is not released */
  static async take(job: Job, needed: readonly Digest[], given: Lease | undefined): Promise<TransferLease> {
    const { cache, signal } = job;
    const own = given === undefined;
    try {
      if (given === undefined)
        return new TransferLease(job, await cache.lease?.(needed, { signal }), { own, lapsed: false });
      await Promise.all(needed.map((digest) => given.add(digest)));
      return new TransferLease(job, given, { own, lapsed: false });
    } catch (error) {
      signal.throwIfAborted();
      job.warn("cannot lease the content of this transfer", error);
      return new TransferLease(job, undefined, { own, lapsed: true });
    }
  }

  /**
   * Calls `finish`, after `restore` if the lease has lapsed. Repeats both if the lease lapsed during `finish`.
   * @throws MOTE_IO if the lease lapses repeatedly
   */
  async finish(steps: { readonly restore: () => Promise<void>; readonly finish: () => Promise<void> }): Promise<void> {
    for (let round = 1; ; round++) {
      if (await this.#hasLapsed()) await steps.restore();
      await steps.finish();
      if (this.#lease === undefined || this.#job.destination !== undefined) return;
      this.#isLapsed = await this.#hasLapsed();
      if (!this.#isLapsed) return;
      if (round === maxRounds) throw lapsedRepeatedly();
    }
  }

  async release(): Promise<void> {
    if (!this.#isOwn) return;
    await this.#lease
      ?.release()
      .catch((error: unknown) => this.#job.warn("cannot release the lease of this transfer", error));
  }

  /** Renews the lease. Returns whether it has lapsed since the last call. */
  async #hasLapsed(): Promise<boolean> {
    const hadLapsed = this.#isLapsed;
    this.#isLapsed = false;
    const { signal } = this.#job;
    try {
      return (await this.#lease?.renew?.({ signal })) === false || hadLapsed;
    } catch (error) {
      signal.throwIfAborted();
      this.#job.warn("cannot renew the lease of this transfer", error);
      return true;
    }
  }
}

function lapsedRepeatedly(): MoteError {
  return new MoteError(
    "MOTE_IO",
    "the lease lapsed repeatedly because this process was suspended, and other processes removed its content; try again",
  );
}
