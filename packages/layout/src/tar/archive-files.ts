import { type Cancellable, MoteError } from "@mote/core";
import { SpooledFile } from "../compression/spooled-file.js";
import { compressionOfFile, uncompressed } from "../compression/uncompress.js";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import { invalidArchive } from "../disk/file-error.js";
import type { NamedFiles } from "../disk/named-files.js";
import type { OpenedFile } from "../disk/opened-file.js";
import { openArchive } from "../parts/open-archive.js";
import { type FileRange, readTarEntries } from "./tar-entries.js";

/**
 * The files of a tar, read in place, also from several parts. A gzip or zstd is decompressed into a temporary folder first, and so is stdin
 * (`-`): dispose of it.
 */
export class ArchiveFiles implements NamedFiles, AsyncDisposable {
  readonly location: string;
  readonly #options: UnpackOptions;
  #scanned: Promise<Scan> | undefined;

  constructor(path: string, options: UnpackOptions = {}) {
    this.location = path;
    this.#options = options;
  }

  async open(name: string, options: Cancellable = {}): Promise<OpenedFile> {
    const { entries, identity, path } = await this.#scan(options);
    const entry = entries.get(name);
    if (entry === undefined) {
      throw new MoteError("MOTE_NOT_FOUND", `${this.location} does not contain ${name}`, {
        details: { path: this.location, name },
      });
    }
    const file = await openArchive(path, options);
    if (file.identity === identity) return { handle: file.handle, ...entry };
    await file.handle.close();
    this.#scanned = undefined;
    throw new MoteError("MOTE_IO", `${this.location} was replaced while it was read; try again`);
  }

  /** The names of all files in it. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_INVALID_ARCHIVE */
  async names(options: Cancellable = {}): Promise<readonly string[]> {
    return [...(await this.#scan(options)).entries.keys()];
  }

  /** Returns the size of a file in bytes; undefined if there is none of that name. @throws as `names` */
  async sizeOf(name: string, options: Cancellable = {}): Promise<number | undefined> {
    return (await this.#scan(options)).entries.get(name)?.size;
  }

  async assertThere(): Promise<void> {
    await this.#scan({});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const scanned = await this.#scanned?.catch(() => undefined);
    this.#scanned = undefined;
    for (const folder of scanned?.temporary ?? []) await folder[Symbol.asyncDispose]();
  }

  /** Scans once; retries after an error. */
  #scan(options: Cancellable): Promise<Scan> {
    const scanning =
      this.#scanned ?? scanArchive(this.location, { ...options, limits: new UnpackLimits(this.#options) });
    this.#scanned = scanning;
    scanning.catch(() => {
      if (this.#scanned === scanning) this.#scanned = undefined;
    });
    return scanning;
  }
}

interface Scan {
  readonly entries: ReadonlyMap<string, FileRange>;
  /** The scanned tar, and its identity. */
  readonly path: string;
  readonly identity: string;
  /** Folders that it needs. */
  readonly temporary: readonly AsyncDisposable[];
}

interface ScanOptions extends Cancellable {
  readonly limits: UnpackLimits;
}

async function scanArchive(location: string, { limits, ...options }: ScanOptions): Promise<Scan> {
  const shown = location === "-" ? "stdin" : location;
  const temporary: SpooledFile[] = [];
  const spool = async (chunks: AsyncIterable<Uint8Array>) => {
    const spooled = await SpooledFile.write(chunks, options);
    temporary.push(spooled);
    return spooled.file;
  };
  try {
    let path = location === "-" ? await spool(process.stdin) : location;
    let file = await openArchive(path, { ...options, verify: true });
    try {
      const compression = await compressionOfFile(file);
      if (file.size === 0) throw invalidArchive(shown, "it is empty");
      if (compression !== undefined) {
        path = await spool(limits.bounded(uncompressed(file, shown, { compression, ...options }), shown));
        await file.handle.close();
        file = await openArchive(path, options);
      }
      return { entries: await readTarEntries(file.handle, shown, options), path, identity: file.identity, temporary };
    } finally {
      await file.handle.close();
    }
  } catch (error) {
    for (const folder of temporary) await folder[Symbol.asyncDispose]();
    throw error;
  }
}
