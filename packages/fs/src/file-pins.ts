import { type Cancellable, type Digest, type Pins, parseDigest } from "@mote/core";
import type { DigestFiles } from "./digest-files.js";

/** What prune never removes. A pinned manifest keeps all that it refers to. */
export class FilePins implements Pins {
  readonly #files: DigestFiles;
  readonly #prepare: () => Promise<void>;

  constructor(files: DigestFiles, prepare: () => Promise<void>) {
    this.#files = files;
    this.#prepare = prepare;
  }

  async pin(digest: Digest, options?: Cancellable): Promise<void> {
    parseDigest(digest);
    options?.signal?.throwIfAborted();
    await this.#prepare();
    this.#files.add(digest);
  }

  async unpin(digest: Digest, options?: Cancellable): Promise<void> {
    parseDigest(digest);
    options?.signal?.throwIfAborted();
    await this.#prepare();
    this.#files.remove(digest);
  }

  async *pins(options?: Cancellable): AsyncIterable<Digest> {
    options?.signal?.throwIfAborted();
    yield* this.#files.list();
  }
}
