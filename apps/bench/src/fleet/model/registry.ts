import { Link, type Progress } from "../network/flow.js";
import type { Simulation } from "../network/simulation.js";
import type { Blob } from "./images.js";
import type { SiteOptions } from "./site.js";

/** The registry, at the other end of the connection of the site. */
export class Registry {
  readonly link: Link;
  /** Requests for blobs, and for what a tag means. */
  requests = 0;
  checks = 0;
  readonly #perRequest: Link;
  readonly #delay: number;
  readonly #simulation: Simulation;

  constructor(simulation: Simulation, { upstreamRate, upstreamRequestRate, upstreamDelay }: SiteOptions) {
    this.#simulation = simulation;
    this.#delay = upstreamDelay;
    this.link = new Link("registry", upstreamRate);
    this.#perRequest = new Link("request to the registry", upstreamRequestRate, "each");
  }

  async checkTag(): Promise<void> {
    this.checks++;
    await this.#simulation.sleep(this.#delay);
  }

  /** Sends the rest of a blob. */
  async send({ bytes }: Blob, into: Progress, links: readonly Link[]): Promise<void> {
    this.requests++;
    await this.#simulation.sleep(this.#delay);
    const path = [this.link, this.#perRequest, ...links];
    await this.#simulation.network.transfer({ links: path, start: into.position, end: bytes, into });
  }
}
