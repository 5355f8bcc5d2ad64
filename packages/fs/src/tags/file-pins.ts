import { type Cancellable, type Digest, type Pins, parseDigest } from "@mote/core";
import type { DigestFiles } from "../folder/digest-files.js";
import type { ReadyFolder } from "./tag-files.js";

/** Content that prune never removes. A pinned manifest keeps everything that it refers to. */
export class FilePins implements Pins {
  readonly #files: DigestFiles;
  readonly #ready: ReadyFolder;

  readonly #sync: () => Promise<void>;

  constructor(files: DigestFiles, ready: ReadyFolder, sync: () => Promise<void>) {
    this.#files = files;
    this.#ready = ready;
    this.#sync = sync;
  }

  async pin(digest: Digest, options?: Cancellable): Promise<void> {
    parseDigest(digest);
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    await using _ = await this.#ready.hold([digest], options?.signal);
    if (this.#files.add(digest)) await this.#sync();
  }

  async unpin(digest: Digest, options?: Cancellable): Promise<void> {
    parseDigest(digest);
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    this.#files.remove(digest);
  }

  async *pins(options?: Cancellable): AsyncIterable<Digest> {
    options?.signal?.throwIfAborted();
    this.#ready.toRead();
    yield* this.#files.list();
  }
}
