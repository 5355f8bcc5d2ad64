import type { Progress } from "../network/flow.js";
import type { Blob } from "./images.js";
import type { MoteServer, Origin } from "./mote-server.js";
import type { Registry } from "./registry.js";

/** A mote alone: what it lacks comes from the registry. */
export class ProxyOrigin implements Origin {
  readonly #mote: MoteServer;
  readonly #registry: Registry;
  readonly #onLead: (mote: MoteServer, blob: Blob) => void;

  constructor(mote: MoteServer, registry: Registry, onLead: (mote: MoteServer, blob: Blob) => void) {
    this.#mote = mote;
    this.#registry = registry;
    this.#onLead = onLead;
  }

  async fetch(
    blob: Blob,
    progress: Progress,
    until: <Result>(work: Promise<Result>) => Promise<Result>,
  ): Promise<void> {
    this.#onLead(this.#mote, blob);
    await until(this.#registry.send(blob, progress, [this.#mote.incoming]));
    this.#mote.disk.store(blob);
  }

  restarted(): void {}
}
