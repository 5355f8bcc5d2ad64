import { type Digest, type Lease, MoteError } from "@mote/core";
import type { Job } from "./job.js";

/** How often content that was removed during a transfer is fetched again. */
const maxRounds = 3;

/** The lease of the content of a transfer, so that prune does not remove it. */
export interface TransferLease {
  /**
   * Calls `finish`, after `restore` if the lease has lapsed. Repeats both if the lease lapsed during `finish`.
   * @throws MOTE_IO if the lease lapses repeatedly
   */
  finish(steps: { readonly restore: () => Promise<void>; readonly finish: () => Promise<void> }): Promise<void>;
  release(): Promise<void>;
}

/** @param given the caller's lease, to which the content is added; it is not released */
export async function leaseContent(
  job: Job,
  needed: readonly Digest[],
  given: Lease | undefined,
): Promise<TransferLease> {
  const { cache, signal } = job;
  const take = async () => {
    if (given === undefined) return { lease: await cache.lease?.(needed, { signal }) };
    await Promise.all(needed.map((digest) => given.add(digest)));
    return { lease: given };
  };
  const taken = await job.orWarn(take(), "cannot lease the content of this transfer");
  const lease = taken?.lease;
  let isLapsed = taken === undefined;

  /** Renews the lease. Returns whether it has lapsed since the last call. */
  const hasLapsed = async (): Promise<boolean> => {
    const hadLapsed = isLapsed;
    isLapsed = false;
    const renewing = (async () => ({ isRenewed: await lease?.renew?.({ signal }) }))();
    const renewed = await job.orWarn(renewing, "cannot renew the lease of this transfer");
    return renewed === undefined || renewed.isRenewed === false || hadLapsed;
  };
  return {
    async finish(steps) {
      for (let round = 1; ; round++) {
        if (await hasLapsed()) await steps.restore();
        await steps.finish();
        if (lease === undefined || job.destination !== undefined) return;
        isLapsed = await hasLapsed();
        if (!isLapsed) return;
        if (round === maxRounds) throw lapsedRepeatedly();
      }
    },
    async release() {
      if (given !== undefined) return;
      await lease?.release().catch((error: unknown) => job.warn("cannot release the lease of this transfer", error));
    },
  };
}

function lapsedRepeatedly(): MoteError {
  return new MoteError(
    "MOTE_IO",
    "the lease lapsed repeatedly because this process was suspended, and other processes removed its content; try again",
  );
}
