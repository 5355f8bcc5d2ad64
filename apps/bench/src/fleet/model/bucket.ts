import type { Digest } from "@mote/core";
import { Link, type Progress } from "../network/flow.js";
import type { Simulation } from "../network/simulation.js";
import type { Blob } from "./images.js";
import { type SiteOptions, Unavailable } from "./site.js";

/** The bucket behind the motes. */
export class Bucket {
  readonly outgoing: Link;
  readonly incoming: Link;
  reads = 0;
  writes = 0;
  lookUps = 0;
  isUp = true;
  readonly #perRequest: Link;
  readonly #blobs = new Set<Digest>();
  readonly #delay: number;
  readonly #simulation: Simulation;

  constructor(simulation: Simulation, { bucketRate, bucketRequestRate, bucketDelay }: SiteOptions) {
    this.#simulation = simulation;
    this.#delay = bucketDelay;
    this.outgoing = new Link("from the bucket", bucketRate);
    this.incoming = new Link("to the bucket", bucketRate);
    this.#perRequest = new Link("request to the bucket", bucketRequestRate, "each");
  }

  /** @throws Unavailable */
  async has({ digest }: Blob): Promise<boolean> {
    this.lookUps++;
    await this.#request();
    return this.#blobs.has(digest);
  }

  /** Sends the rest of a blob. @throws Unavailable */
  async send({ bytes }: Blob, into: Progress, links: readonly Link[]): Promise<void> {
    this.reads++;
    await this.#request();
    const path = [this.outgoing, this.#perRequest, ...links];
    await this.#simulation.network.transfer({ links: path, start: into.position, end: bytes, into });
  }

  /** Stores a blob when all of its bytes have arrived. @throws Unavailable */
  async store({ digest, bytes }: Blob, links: readonly Link[]): Promise<void> {
    this.writes++;
    await this.#request();
    const path = [this.incoming, this.#perRequest, ...links];
    await this.#simulation.network.transfer({ links: path, start: 0, end: bytes });
    this.#blobs.add(digest);
  }

  stop(): void {
    this.isUp = false;
    for (const link of [this.outgoing, this.incoming]) this.#simulation.network.abort(link, new Unavailable());
  }

  start(): void {
    this.isUp = true;
  }

  async #request(): Promise<void> {
    await this.#simulation.sleep(this.#delay);
    if (!this.isUp) throw new Unavailable();
  }
}
