import type { Digest } from "@mote/core";
import { Link, Progress } from "../network/flow.js";
import type { Simulation } from "../network/simulation.js";
import type { Blob, Image } from "./images.js";
import type { MoteServer } from "./mote-server.js";
import type { Registry } from "./registry.js";
import { layersAtOnce } from "./rules.js";
import { type SiteOptions, Unavailable } from "./site.js";

/** A machine that pulls images, from the first mote of its list that is up. */
export class Client {
  readonly link: Link;
  /** Bytes of the blobs that are complete. */
  deliveredBytes = 0;
  /** Blobs that ended before their last byte. */
  incomplete = 0;
  readonly #simulation: Simulation;
  readonly #registry: Registry;
  readonly #motes: readonly MoteServer[];
  readonly #localDelay: number;
  /** What it has, or is fetching. Undefined for a runner, which has nothing at the start of a pull. */
  readonly #stored: Map<Digest, Promise<void>> | undefined;

  constructor(
    name: string,
    parts: {
      readonly simulation: Simulation;
      readonly registry: Registry;
      readonly motes: readonly MoteServer[];
      readonly stored: readonly Image[] | undefined;
      readonly options: SiteOptions;
    },
  ) {
    this.#simulation = parts.simulation;
    this.#registry = parts.registry;
    this.#motes = parts.motes;
    this.#localDelay = parts.options.localDelay;
    this.link = new Link(`to ${name}`, parts.options.clientRate);
    const blobs = parts.stored?.flatMap(({ layers }) => layers);
    this.#stored = blobs && new Map(blobs.map(({ digest }) => [digest, Promise.resolve()]));
  }

  /** Pulls an image. Returns the seconds that it took, and the bytes that it fetched for it. */
  async pull(image: Image): Promise<{ readonly seconds: number; readonly bytes: number }> {
    const begin = this.#simulation.now;
    let bytes = 0;
    await this.#checkTag(image.name);
    const stored = this.#stored ?? new Map<Digest, Promise<void>>();
    const need = (blob: Blob) => {
      const running = stored.get(blob.digest);
      if (running !== undefined) return running;
      bytes += blob.bytes;
      const fetch = this.#fetch(blob);
      stored.set(blob.digest, fetch);
      return fetch;
    };
    await need(image.manifest);
    const layers = image.layers.values();
    await Promise.all(
      Array.from({ length: layersAtOnce }, async () => {
        for (const layer of layers) await need(layer);
      }),
    );
    return { seconds: this.#simulation.now - begin, bytes };
  }

  async #checkTag(name: string): Promise<void> {
    for (const mote of this.#motes) {
      await this.#simulation.sleep(this.#localDelay);
      if (await succeeds(mote.checkTag(name))) return;
    }
    await this.#registry.checkTag();
  }

  async #fetch(blob: Blob): Promise<void> {
    const progress = new Progress();
    const isSent = await this.#fromAnyMote(blob, progress);
    if (!isSent) await this.#registry.send(blob, progress, [this.link]);
    if (progress.position === blob.bytes) this.deliveredBytes += blob.bytes;
    else this.incomplete++;
  }

  /** Continues with the next mote where one has failed. */
  async #fromAnyMote(blob: Blob, progress: Progress): Promise<boolean> {
    for (const mote of this.#motes) {
      await this.#simulation.sleep(this.#localDelay);
      if (await succeeds(mote.send(blob, progress, [this.link]))) return true;
    }
    return false;
  }
}

async function succeeds(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Unavailable) return false;
    throw error;
  }
}
