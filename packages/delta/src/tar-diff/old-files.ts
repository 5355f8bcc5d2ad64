import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Cancellable, MoteError } from "@mote/core";
import { LayerFiles } from "./layer-files.js";
import type { OldFile } from "./old-file.js";
import { TarParts } from "./tar-parts.js";

/** The unpacked size of large images, with room to spare. */
const defaultMaxBytes = 64 * 1024 ** 3;
const maxEntries = 2_000_000;
/** Characters of a path that count as another entry, so that paths do not exhaust memory. */
const pathCharactersPerEntry = 128;
const writeBytes = 1024 * 1024;

export interface OldFilesOptions extends Cancellable {
  /** An existing folder for the contents of the files. */
  readonly dir: string;
  /** Limit on the uncompressed bytes of all layers. Default 64 GiB. */
  readonly maxBytes?: number | undefined;
}

/** The regular files of an image, with the contents in a temporary file. Dispose of them. */
export class OldFiles implements AsyncDisposable {
  readonly #files: ReadonlyMap<string, OldFile>;
  readonly #spool: Spool;

  private constructor(files: ReadonlyMap<string, OldFile>, spool: Spool) {
    this.#files = files;
    this.#spool = spool;
  }

  /**
   * Reads the layers of an image, the lowest first, as uncompressed tars. Whiteouts are applied.
   * @throws MOTE_TOO_LARGE · what the layers throw · errors of the file system
   */
  static async open(
    layers: readonly (() => AsyncIterable<Uint8Array>)[],
    { dir, maxBytes = defaultMaxBytes, signal }: OldFilesOptions,
  ): Promise<OldFiles> {
    const spool = await Spool.create(dir);
    try {
      const files = new LayerFiles();
      const budget = new Budget(maxBytes);
      // From the top, so that what is hidden is known when an entry is read.
      for (const layer of layers.toReversed()) await readLayer(layer(), { files, spool, budget, signal });
      await spool.flush();
      return new OldFiles(files.files, spool);
    } catch (error) {
      await spool[Symbol.asyncDispose]();
      throw error;
    }
  }

  get(path: string): OldFile | undefined {
    return this.#files.get(path);
  }

  [Symbol.iterator](): IterableIterator<OldFile> {
    return this.#files.values();
  }

  /** Removes the contents. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spool[Symbol.asyncDispose]();
  }
}

interface LayerOptions extends Cancellable {
  readonly files: LayerFiles;
  readonly spool: Spool;
  readonly budget: Budget;
}

async function readLayer(
  layer: AsyncIterable<Uint8Array>,
  { files, spool, budget, signal }: LayerOptions,
): Promise<void> {
  const tar = new TarParts();
  let current: SpooledFile | undefined;
  for await (const chunk of layer) {
    signal?.throwIfAborted();
    budget.chargeBytes(chunk.byteLength);
    for (const part of tar.split(chunk)) {
      if (part.kind === "entry") {
        budget.chargeEntry(part.entry.path);
        current = files.add(part.entry, (path) => new SpooledFile(path, spool));
      } else if (part.kind === "content" && current !== undefined) {
        current.size += part.bytes.byteLength;
        await spool.write(part.bytes);
      }
    }
  }
  files.endLayer();
}

/** What the layers may still take. */
class Budget {
  readonly #maxBytes: number;
  #bytes = 0;
  #entries = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Charges everything, because what is not part of a file is unpacked too. */
  chargeBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes)
      throw tooLarge(`the layers of the old image have more than ${this.#maxBytes} bytes`);
  }

  chargeEntry(path = ""): void {
    this.#entries += 1 + Math.floor(path.length / pathCharactersPerEntry);
    if (this.#entries > maxEntries) {
      throw tooLarge(`the old image has more than ${maxEntries} entries, or fewer with long paths`);
    }
  }
}

class SpooledFile implements OldFile {
  readonly path: string;
  size = 0;
  readonly #spool: Spool;
  readonly #start: number;

  constructor(path: string, spool: Spool) {
    this.path = path;
    this.#spool = spool;
    this.#start = spool.size;
  }

  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const available = Math.max(0, Math.min(length, this.size - position));
    return this.#spool.read(this.#start + position, into?.subarray(0, available) ?? Buffer.allocUnsafe(available));
  }
}

/** A temporary file that is written once. */
class Spool implements AsyncDisposable {
  size = 0;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(writeBytes);
  #buffered = 0;
  #isOpen = true;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async create(dir: string): Promise<Spool> {
    const path = join(dir, `old-files-${randomUUID()}`);
    return new Spool(path, await open(path, "wx+", 0o600));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.size += bytes.byteLength;
    for (let at = 0; at < bytes.byteLength; ) {
      const copied = Math.min(bytes.byteLength - at, writeBytes - this.#buffered);
      this.#buffer.set(bytes.subarray(at, at + copied), this.#buffered);
      at += copied;
      this.#buffered += copied;
      if (this.#buffered === writeBytes) await this.flush();
    }
  }

  async flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    await this.#file.writeFile(bytes);
  }

  async read(position: number, bytes: Uint8Array): Promise<Uint8Array> {
    for (let at = 0; at < bytes.byteLength; ) {
      const { bytesRead } = await this.#file.read(bytes, at, bytes.byteLength - at, position + at);
      if (bytesRead === 0) throw new MoteError("MOTE_IO", `${this.#path} was changed`);
      at += bytesRead;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}

function tooLarge(message: string): MoteError {
  return new MoteError("MOTE_TOO_LARGE", message);
}
