import { type Cancellable, type Mote, mediaTypes, parseDigest, type WaitingMotes } from "@mote/core";
import type { DigestFiles } from "../folder/digest-files.js";
import type { ReadyFolder } from "./tag-files.js";

/** What waits to be written to another tier: a file for each mote, with its media type. */
export class WaitingFiles implements WaitingMotes {
  readonly #files: DigestFiles;
  readonly #ready: Pick<ReadyFolder, "toRead" | "toWrite">;

  constructor(files: DigestFiles, ready: Pick<ReadyFolder, "toRead" | "toWrite">) {
    this.#files = files;
    this.#ready = ready;
  }

  async add({ digest, mediaType }: Mote, options?: Cancellable): Promise<void> {
    parseDigest(digest);
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    this.#files.add(digest, mediaType);
  }

  async remove(digest: Mote["digest"], options?: Cancellable): Promise<void> {
    parseDigest(digest);
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    this.#files.remove(digest);
  }

  async *list(options?: Cancellable): AsyncIterable<Mote> {
    options?.signal?.throwIfAborted();
    this.#ready.toRead();
    for (const digest of this.#files.list()) {
      yield { digest, mediaType: this.#files.textOf(digest) || mediaTypes.octetStream };
    }
  }
}
