import { CircuitBreaker, type Digest, type FetchLease, type FetchLeases } from "@mote/core";
import type { Progress } from "../network/flow.js";
import type { Simulation } from "../network/simulation.js";
import type { Bucket } from "./bucket.js";
import type { Blob } from "./images.js";
import type { MoteServer, Origin } from "./mote-server.js";
import type { Registry } from "./registry.js";
import { answerSeconds, leaseSeconds, renewSeconds, storedSeconds, uploads } from "./rules.js";
import { type SiteOptions, Unavailable } from "./site.js";

export interface Fleet {
  readonly simulation: Simulation;
  readonly registry: Registry;
  readonly bucket: Bucket;
  readonly leases: FetchLeases;
  readonly members: ReadonlyMap<string, MoteServer>;
  readonly options: SiteOptions;
  /** Called when a mote begins to fetch a blob from the registry. */
  readonly onLead: (mote: MoteServer, blob: Blob) => void;
}

type Until = <Result>(work: Promise<Result>) => Promise<Result>;

const retrySeconds = 1;

/** A member of a fleet: what it lacks comes from the bucket, from the member that holds the lease, or from the registry. */
export class FleetOrigin implements Origin {
  readonly #mote: MoteServer;
  readonly #fleet: Fleet;
  readonly #bucketBreaker: CircuitBreaker;
  readonly #leaseBreaker: CircuitBreaker;
  readonly #answers = new Map<Digest, { readonly isThere: boolean; readonly until: number }>();
  /** What is to be written to the bucket, in the order of arrival. */
  readonly #waiting = new Map<Digest, Blob>();
  readonly #uploading = new Set<Digest>();

  constructor(mote: MoteServer, fleet: Fleet) {
    this.#mote = mote;
    this.#fleet = fleet;
    const now = () => fleet.simulation.now * 1000;
    this.#bucketBreaker = new CircuitBreaker(now);
    this.#leaseBreaker = new CircuitBreaker(now);
  }

  async fetch(blob: Blob, progress: Progress, until: Until): Promise<void> {
    for (let replaces: number | undefined; ; ) {
      if (await this.#fromBucket(blob, progress, until)) break;
      const lease = await until(this.#acquire(blob, replaces));
      if (lease === undefined || lease.holder === this.#mote.name) {
        await this.#lead(blob, progress, { lease, until });
        return;
      }
      if (await this.#follow(lease.holder, { blob, progress, until })) break;
      replaces = lease.token;
    }
    this.#mote.disk.store(blob);
  }

  restarted(losesDisk: boolean): void {
    this.#uploading.clear();
    this.#answers.clear();
    if (losesDisk) this.#waiting.clear();
    else this.#startUploads();
  }

  /** Returns whether the bucket had the blob. */
  async #fromBucket(blob: Blob, progress: Progress, until: Until): Promise<boolean> {
    if (!(await until(this.#isInBucket(blob)))) return false;
    const sent = this.#ask(this.#bucketBreaker, () =>
      this.#fleet.bucket.send(blob, progress, [this.#mote.incoming]).then(() => true),
    );
    return (await until(sent)) ?? false;
  }

  async #isInBucket(blob: Blob): Promise<boolean> {
    const { simulation, bucket, options } = this.#fleet;
    if (!options.hasBucket) return false;
    const known = this.#answers.get(blob.digest);
    if (known !== undefined && simulation.now < known.until) return known.isThere;
    const isThere = await this.#ask(this.#bucketBreaker, () => bucket.has(blob));
    if (isThere !== undefined) this.#answers.set(blob.digest, { isThere, until: simulation.now + answerSeconds });
    return isThere ?? false;
  }

  /** Fetches from the registry and writes to the bucket, as the holder of the lease or, without leases, alone. */
  async #lead(
    blob: Blob,
    progress: Progress,
    { lease, until }: { readonly lease: FetchLease | undefined; readonly until: Until },
  ): Promise<void> {
    const { registry, options, onLead } = this.#fleet;
    if (lease !== undefined) void this.#keepLease(lease, progress, until);
    onLead(this.#mote, blob);
    await until(registry.send(blob, progress, [this.#mote.incoming]));
    this.#mote.disk.store(blob);
    if (lease !== undefined) void this.#renew(lease, { seconds: storedSeconds, isStored: true });
    if (!options.hasBucket) return;
    this.#waiting.set(blob.digest, blob);
    this.#startUploads();
  }

  /** Reads from the member that holds the lease. Returns false if it fails. */
  async #follow(
    holder: string,
    { blob, progress, until }: { readonly blob: Blob; readonly progress: Progress; readonly until: Until },
  ): Promise<boolean> {
    const { simulation, members, options } = this.#fleet;
    await until(simulation.sleep(options.localDelay));
    const reading = members.get(holder)?.sendToMember(blob, progress, [this.#mote.incoming]);
    return until(orUndefined(reading?.then(() => true))).then((done) => done ?? false);
  }

  async #acquire({ digest }: Blob, replaces: number | undefined): Promise<FetchLease | undefined> {
    return this.#askLeases((leases) =>
      leases.acquire(digest, this.#mote.name, { durationMs: leaseSeconds * 1000, replaces }),
    );
  }

  async #renew(
    lease: FetchLease,
    { seconds, isStored }: { readonly seconds: number; readonly isStored?: boolean },
  ): Promise<boolean | undefined> {
    return this.#askLeases((leases) => leases.renew(lease, { durationMs: seconds * 1000, isStored }));
  }

  /** Renews a lease until the blob is stored, or the lease is held by another. */
  async #keepLease(lease: FetchLease, progress: Progress, until: Until): Promise<void> {
    const renew = () => until(this.#renew(lease, { seconds: leaseSeconds }));
    try {
      do {
        await until(this.#fleet.simulation.sleep(renewSeconds));
      } while (!progress.isComplete && (await renew()) !== false);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
    }
  }

  #askLeases<Result>(send: (leases: FetchLeases) => Promise<Result>): Promise<Result | undefined> {
    const { simulation, leases, bucket, options } = this.#fleet;
    return this.#ask(this.#leaseBreaker, async () => {
      await simulation.sleep(options.leaseDelay);
      if (options.leasesIn === "bucket" && !bucket.isUp) throw new Unavailable();
      return send(leases);
    });
  }

  /** Returns undefined if the request fails, or is not sent because others have failed. */
  async #ask<Result>(breaker: CircuitBreaker, send: () => Promise<Result>): Promise<Result | undefined> {
    if (!breaker.tryRequest()) return undefined;
    try {
      const result = await send();
      breaker.succeeded();
      return result;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      breaker.failed();
      return undefined;
    }
  }

  #startUploads(): void {
    for (const blob of this.#waiting.values()) {
      if (this.#uploading.size >= uploads) return;
      if (this.#uploading.has(blob.digest) || !this.#mote.disk.use(blob)) continue;
      this.#uploading.add(blob.digest);
      void this.#upload(blob);
    }
  }

  async #upload(blob: Blob): Promise<void> {
    const { simulation, bucket } = this.#fleet;
    const store = async () => {
      if (!(await bucket.has(blob))) await bucket.store(blob, [this.#mote.outgoing]);
      return true;
    };
    try {
      while ((await this.#mote.until(this.#ask(this.#bucketBreaker, store))) === undefined) {
        const pauseSeconds = Math.max(retrySeconds, this.#bucketBreaker.retryAfterMs / 1000);
        await this.#mote.until(simulation.sleep(pauseSeconds));
      }
    } catch (error) {
      // The mote has died; it continues when it runs again.
      if (error instanceof Unavailable) return;
      throw error;
    }
    this.#waiting.delete(blob.digest);
    this.#uploading.delete(blob.digest);
    this.#answers.set(blob.digest, { isThere: true, until: simulation.now + answerSeconds });
    this.#startUploads();
  }
}

/** Returns undefined instead of `Unavailable`. */
async function orUndefined<Result>(work: Promise<Result> | undefined): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}
