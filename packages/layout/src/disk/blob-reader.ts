import { type BlobOptions, type Descriptor, ReadOnceReader, verifyChunks } from "@mote/core";
import { readChunks } from "./chunks.js";
import type { NamedFiles } from "./named-files.js";
import type { OpenedFile } from "./opened-file.js";

/** Opens a blob of a folder or archive by its file name. */
export async function openBlob(
  files: NamedFiles,
  name: string,
  descriptor: Descriptor,
  options: BlobOptions,
): Promise<BlobReader> {
  return new BlobReader(await files.open(name, options), `${files.location}/${name}`, descriptor, options);
}

/** Reads a blob from an open file, and closes it. A damaged blob ends in MOTE_CORRUPT. */
export class BlobReader extends ReadOnceReader {
  readonly #file: OpenedFile;
  readonly #path: string;
  readonly #expected: Descriptor;
  readonly #options: BlobOptions;

  constructor(file: OpenedFile, path: string, descriptor: Descriptor, options: BlobOptions) {
    super({ digest: descriptor.digest, size: file.size, mediaType: descriptor.mediaType });
    this.#file = file;
    this.#path = path;
    this.#expected = descriptor;
    this.#options = options;
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start = 0, verifyOnRead = true, signal } = this.#options;
    const chunks = readChunks(this.#file, start, this.#path, signal);
    try {
      yield* verifyOnRead && start === 0 ? verifyChunks(chunks, this.#expected, { damage: true }) : chunks;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  protected override release(): Promise<void> {
    return this.#file.handle.close();
  }
}
