import type { Descriptor, Digest, FetchLeases, FleetStatus, Logger, MoteSource } from "@mote/core";
import type { FillSource } from "../upstream-source.js";
import { FleetFetch } from "./fleet-fetch.js";
import { GuardedLeases } from "./guarded-leases.js";
import { type FleetMembers, MemberCounts } from "./members.js";

export interface FleetOptions {
  /** Decides which member fetches a blob. */
  readonly leases: FetchLeases;
  /** The URL at which the other members reach this one, the same for all processes of a folder. */
  readonly url: string;
  readonly members: FleetMembers;
  /** A tier that all members write to, which is asked if a member that has stored a blob fails. */
  readonly tier?: Pick<MoteSource, "moteReader"> | undefined;
  /**
   * Contains a blob while it is committed if none of its bytes came from the upstream: then another member writes it to the tier.
   */
  readonly followed?: Pick<Set<Digest>, "add" | "delete"> | undefined;
}

/** Several mirrors as one: each blob is fetched from its upstream by one of them, and by the others from that one while it arrives. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #leases: GuardedLeases;
  readonly #logger: Logger;
  readonly #counts = new MemberCounts();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: FleetOptions, logger: Logger) {
    this.#options = options;
    this.#leases = new GuardedLeases(options.leases, logger);
    this.#logger = logger;
  }

  get status(): FleetStatus {
    return { url: this.#options.url, members: this.#counts.status };
  }

  /** Runs a fetch of a blob from the fleet. `run` returns whether the blob was stored. */
  async fetch(
    descriptor: Descriptor,
    upstream: FillSource,
    run: (source: FillSource) => Promise<boolean>,
  ): Promise<boolean> {
    const { members, url, tier, followed } = this.#options;
    const { digest } = descriptor;
    let hasUpstreamBytes = false;
    const fetch = new FleetFetch(descriptor, upstream, {
      ...{ leases: this.#leases, members, counts: this.#counts, url, tier, logger: this.#logger },
      onOrigin: (isUpstream) => {
        hasUpstreamBytes ||= isUpstream;
        if (hasUpstreamBytes) followed?.delete(digest);
        else followed?.add(digest);
      },
    });
    let isStored = false;
    try {
      isStored = await run(fetch);
      return isStored;
    } finally {
      followed?.delete(digest);
      this.#end(fetch.end(isStored));
    }
  }

  /** Waits until the leases of ended fetches are released. */
  async close(): Promise<void> {
    await Promise.all(this.#ending);
  }

  #end(ending: Promise<void>): void {
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }
}
