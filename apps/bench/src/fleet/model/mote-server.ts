import type { Digest } from "@mote/core";
import { Link, Progress } from "../network/flow.js";
import type { Simulation } from "../network/simulation.js";
import { Disk } from "./disk.js";
import type { Blob } from "./images.js";
import type { Registry } from "./registry.js";
import { freshSeconds } from "./rules.js";
import { type SiteOptions, Unavailable } from "./site.js";

/** Where a mote gets what it lacks. `until` passes a result on, and throws if the mote has died meanwhile. */
export interface Origin {
  fetch(blob: Blob, progress: Progress, until: <Result>(work: Promise<Result>) => Promise<Result>): Promise<void>;
  /** The mote runs again. */
  restarted(losesDisk: boolean): void;
}

/** One `mote serve`: its disk, its fetches and its network. */
export class MoteServer {
  readonly name: string;
  readonly incoming: Link;
  readonly outgoing: Link;
  /** Counts what it sends to other motes, and limits nothing. */
  readonly toMembers: Link;
  readonly disk: Disk;
  isUp = true;
  readonly #simulation: Simulation;
  readonly #registry: Registry;
  readonly #fills = new Map<Digest, Progress>();
  /** Bytes of fetches that were interrupted, on the disk. */
  readonly #partial = new Map<Digest, number>();
  readonly #tags = new Map<string, { readonly at: number; readonly checked: Promise<void> }>();
  #origin: Origin | undefined;
  /** Counts its starts. */
  #life = 0;

  constructor(name: string, simulation: Simulation, registry: Registry, { moteRate, diskBytes }: SiteOptions) {
    this.name = name;
    this.#simulation = simulation;
    this.#registry = registry;
    this.incoming = new Link(`to ${name}`, moteRate);
    this.outgoing = new Link(`from ${name}`, moteRate);
    this.toMembers = new Link(`from ${name} to motes`, Number.POSITIVE_INFINITY);
    this.disk = new Disk(diskBytes);
  }

  connect(origin: Origin): void {
    this.#origin = origin;
  }

  /** @throws Unavailable */
  async checkTag(name: string): Promise<void> {
    this.#assertUp();
    const known = this.#tags.get(name);
    if (known !== undefined && this.#simulation.now - known.at < freshSeconds) return known.checked;
    const checked = this.#registry.checkTag();
    this.#tags.set(name, { at: this.#simulation.now, checked });
    await this.until(checked);
  }

  /** Sends the rest of a blob to a client, and fetches it if it is not stored. @throws Unavailable */
  async send(blob: Blob, into: Progress, links: readonly Link[]): Promise<void> {
    this.#assertUp();
    if (this.disk.use(blob)) return this.#transfer(blob, undefined, into, links);
    await this.#transfer(blob, this.#fills.get(blob.digest) ?? this.#fill(blob), into, links);
  }

  /** Sends the rest of a blob to another mote, if this one has it or fetches it. @throws Unavailable */
  async sendToMember(blob: Blob, into: Progress, links: readonly Link[]): Promise<void> {
    this.#assertUp();
    const fill = this.#fills.get(blob.digest);
    if (fill === undefined && !this.disk.use(blob)) throw new Unavailable();
    await this.#transfer(blob, fill, into, [this.toMembers, ...links]);
  }

  /** Ends all that it does. */
  stop(): void {
    this.isUp = false;
    this.#life++;
    for (const link of [this.incoming, this.outgoing]) this.#simulation.network.abort(link, new Unavailable());
    for (const [digest, { position }] of this.#fills) this.#partial.set(digest, position);
    this.#fills.clear();
    this.#tags.clear();
  }

  start({ losesDisk }: { readonly losesDisk: boolean }): void {
    if (losesDisk) {
      this.disk.clear();
      this.#partial.clear();
    }
    this.isUp = true;
    this.#origin?.restarted(losesDisk);
  }

  /** Passes a result on. @throws Unavailable if this mote has died meanwhile */
  async until<Result>(work: Promise<Result>, life = this.#life): Promise<Result> {
    const result = await work;
    if (life !== this.#life) throw new Unavailable();
    return result;
  }

  async #transfer(blob: Blob, from: Progress | undefined, into: Progress, links: readonly Link[]): Promise<void> {
    const path = [this.outgoing, ...links];
    await this.#simulation.network.transfer({ links: path, start: into.position, end: blob.bytes, from, into });
  }

  #fill(blob: Blob): Progress {
    const progress = new Progress();
    progress.position = this.#partial.get(blob.digest) ?? 0;
    this.#fills.set(blob.digest, progress);
    void this.#fetch(blob, progress);
    return progress;
  }

  async #fetch(blob: Blob, progress: Progress): Promise<void> {
    const life = this.#life;
    try {
      await this.#origin?.fetch(blob, progress, (work) => this.until(work, life));
    } catch (error) {
      // Its readers have been told when this mote died.
      if (error instanceof Unavailable) return;
      throw error;
    }
    this.#fills.delete(blob.digest);
    this.#partial.delete(blob.digest);
  }

  #assertUp(): void {
    if (!this.isUp) throw new Unavailable();
  }
}
