import { type Cancellable, MoteError } from "@mote/core";
import { type Compression, compressionOf, magicBytes } from "../compression/uncompress.js";
import { UncompressedArchive } from "../compression/uncompressed-archive.js";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import { invalidArchive } from "../disk/file-error.js";
import type { NamedFiles } from "../disk/named-files.js";
import { identityOf, type OpenedFile, openFile } from "../disk/opened-file.js";
import { type FileRange, readTarEntries } from "./tar-entries.js";

/** The files of a tar, read in place. A gzip or zstd is decompressed into a temporary folder first: dispose of it. */
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
    const { handle } = await openFile(path);
    if ((await identityOf(handle)) === identity) return { handle, ...entry };
    await handle.close();
    this.#scanned = undefined;
    throw new MoteError("MOTE_IO", `${this.location} was replaced while it was read; try again`);
  }

  /** The names of all files in it. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_INVALID_ARCHIVE */
  async names(options: Cancellable = {}): Promise<readonly string[]> {
    return [...(await this.#scan(options)).entries.keys()];
  }

  async assertThere(): Promise<void> {
    await this.#scan({});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const scanned = await this.#scanned?.catch(() => undefined);
    this.#scanned = undefined;
    await scanned?.uncompressed?.[Symbol.asyncDispose]();
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
  readonly uncompressed?: UncompressedArchive;
}

interface ScanOptions extends Cancellable {
  readonly limits: UnpackLimits;
}

async function scanArchive(path: string, options: ScanOptions): Promise<Scan> {
  if (path === "-") {
    const message = "an archive cannot be read from stdin, which has no offsets; write it to a file first";
    throw new MoteError("MOTE_IO", message, { details: { path } });
  }
  const file = await openFile(path);
  try {
    const magic = new Uint8Array(magicBytes);
    await file.handle.read(magic, 0, magicBytes, 0);
    const compression = compressionOf(magic);
    if (file.size === 0) throw invalidArchive(path, "it is empty");
    if (compression !== undefined) return await scanCompressed(file, path, { compression, ...options });
    const entries = await readTarEntries(file.handle, path, options);
    return { entries, path, identity: await identityOf(file.handle) };
  } finally {
    await file.handle.close();
  }
}

async function scanCompressed(
  file: OpenedFile,
  location: string,
  options: ScanOptions & { readonly compression: Compression },
): Promise<Scan> {
  const uncompressed = await UncompressedArchive.from(file, location, options);
  const { handle } = await openFile(uncompressed.path);
  try {
    const entries = await readTarEntries(handle, location, options);
    return { entries, path: uncompressed.path, identity: await identityOf(handle), uncompressed };
  } catch (error) {
    await uncompressed[Symbol.asyncDispose]();
    throw error;
  } finally {
    await handle.close();
  }
}
