import { type Cancellable, MoteError } from "@mote/core";
import { SpooledStdin } from "../compression/spooled-stdin.js";
import { type Compression, compressionOf, magicBytes } from "../compression/uncompress.js";
import { UncompressedArchive } from "../compression/uncompressed-archive.js";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import { invalidArchive } from "../disk/file-error.js";
import type { NamedFiles } from "../disk/named-files.js";
import { identityOf, type OpenedFile, openFile } from "../disk/opened-file.js";
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

async function scanArchive(location: string, options: ScanOptions): Promise<Scan> {
  if (location !== "-") return scanFile(location, location, [], options);
  const spooled = await SpooledStdin.read(options);
  try {
    return await scanFile(spooled.file, "stdin", [spooled], options);
  } catch (error) {
    await spooled[Symbol.asyncDispose]();
    throw error;
  }
}

async function scanFile(
  path: string,
  location: string,
  temporary: readonly AsyncDisposable[],
  options: ScanOptions,
): Promise<Scan> {
  const file = await openArchive(path, { ...options, verify: true });
  const { identity } = file;
  try {
    const magic = new Uint8Array(magicBytes);
    await file.handle.read(magic, 0, magicBytes, 0);
    const compression = compressionOf(magic);
    if (file.size === 0) throw invalidArchive(location, "it is empty");
    if (compression !== undefined) return await scanCompressed(file, location, temporary, { compression, ...options });
    return { entries: await readTarEntries(file.handle, location, options), path, identity, temporary };
  } finally {
    await file.handle.close();
  }
}

async function scanCompressed(
  file: OpenedFile,
  location: string,
  temporary: readonly AsyncDisposable[],
  options: ScanOptions & { readonly compression: Compression },
): Promise<Scan> {
  const uncompressed = await UncompressedArchive.from(file, location, options);
  const { handle } = await openFile(uncompressed.tar);
  try {
    const entries = await readTarEntries(handle, location, options);
    const identity = await identityOf(handle);
    return { entries, path: uncompressed.tar, identity, temporary: [...temporary, uncompressed] };
  } catch (error) {
    await uncompressed[Symbol.asyncDispose]();
    throw error;
  } finally {
    await handle.close();
  }
}
