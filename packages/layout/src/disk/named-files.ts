import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Cancellable, collectChunks, MoteError } from "@mote/core";
import { type Compression, compressionOf, magicBytes } from "../compression/uncompress.js";
import { UncompressedArchive } from "../compression/uncompressed-archive.js";
import { UnpackLimits, type UnpackOptions } from "../files/unpack-limits.js";
import { type FileRange, readTarEntries } from "../tar/tar-entries.js";
import { invalidArchive } from "../tar/tar-header.js";
import { readChunks } from "./chunks.js";
import { kindOf, readFailed } from "./file-error.js";

/** A file that is open: `size` bytes of the handle's, from `offset` on. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly offset: number;
  readonly size: number;
}

/** Files that are read by their name below some place: of a folder, or of an archive. */
export interface NamedFiles {
  readonly place: string;
  /** The caller closes the handle. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_INVALID_ARCHIVE */
  open(name: string, options?: Cancellable): Promise<OpenedFile>;
  /** @throws MOTE_NOT_FOUND where there is nothing at the place at all */
  assertThere(): Promise<void>;
}

/** A small file, whole. @throws MOTE_TOO_LARGE, and as `open` */
export async function readSmallFile(
  files: NamedFiles,
  name: string,
  options: Cancellable & { readonly maxBytes: number },
): Promise<Uint8Array> {
  const file = await files.open(name, options);
  try {
    const what = join(files.place, name);
    return await collectChunks(readChunks(file, 0, what, options.signal), { maxBytes: options.maxBytes, what });
  } finally {
    await file.handle.close();
  }
}

export class FolderFiles implements NamedFiles {
  readonly place: string;

  constructor(dir: string) {
    this.place = dir;
  }

  async open(name: string, options: Cancellable = {}): Promise<OpenedFile> {
    options.signal?.throwIfAborted();
    return openFile(join(this.place, name));
  }

  async assertThere(): Promise<void> {
    const stats = await stat(this.place).catch((error: unknown) => {
      throw readFailed(error, this.place);
    });
    if (!stats.isDirectory()) throw new MoteError("MOTE_NOT_FOUND", `${this.place} is no folder`);
  }
}

/** The files of a tar, read where they are. One that is compressed with gzip or zstd is uncompressed first, until it is disposed of. */
export class ArchiveFiles implements NamedFiles, AsyncDisposable {
  readonly place: string;
  readonly #options: UnpackOptions;
  #scanned: Promise<Scan> | undefined;

  constructor(path: string, options: UnpackOptions = {}) {
    this.place = path;
    this.#options = options;
  }

  async open(name: string, options: Cancellable = {}): Promise<OpenedFile> {
    const { entries, identity, path } = await this.#scan(options);
    const entry = entries.get(name);
    if (entry === undefined) {
      throw new MoteError("MOTE_NOT_FOUND", `there is no ${name} in ${this.place}`, {
        details: { path: this.place, name },
      });
    }
    const { handle } = await openFile(path);
    if ((await identityOf(handle)) === identity) return { handle, ...entry };
    await handle.close();
    this.#scanned = undefined;
    throw new MoteError("MOTE_IO", `${this.place} was replaced while it was read; try again`);
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

  /** Scanned once; what failed is tried again. */
  #scan(options: Cancellable): Promise<Scan> {
    const scanning = this.#scanned ?? scanArchive(this.place, { ...options, limits: new UnpackLimits(this.#options) });
    this.#scanned = scanning;
    scanning.catch(() => {
      if (this.#scanned === scanning) this.#scanned = undefined;
    });
    return scanning;
  }
}

interface Scan {
  readonly entries: ReadonlyMap<string, FileRange>;
  /** The tar that was scanned, and which it was. */
  readonly path: string;
  readonly identity: string;
  readonly uncompressed?: UncompressedArchive;
}

interface ScanOptions extends Cancellable {
  readonly limits: UnpackLimits;
}

async function scanArchive(path: string, options: ScanOptions): Promise<Scan> {
  if (path === "-") {
    const message = "an archive is read at any offset, which stdin does not allow; write it to a file first";
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
  place: string,
  options: ScanOptions & { readonly compression: Compression },
): Promise<Scan> {
  const uncompressed = await UncompressedArchive.from(file, place, options);
  const { handle } = await openFile(uncompressed.path);
  try {
    const entries = await readTarEntries(handle, place, options);
    return { entries, path: uncompressed.path, identity: await identityOf(handle), uncompressed };
  } catch (error) {
    await uncompressed[Symbol.asyncDispose]();
    throw error;
  } finally {
    await handle.close();
  }
}

export async function identityOf(handle: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true });
  return [dev, ino, size, mtimeNs].join(":");
}

/** Not blocking: a named pipe that stands where a file should be must not hang the reader. */
export async function openFile(path: string): Promise<OpenedFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw readFailed(error, path);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      const message = `cannot read ${path}: it is ${kindOf(stats)}, not a regular file`;
      throw new MoteError("MOTE_IO", message, { details: { path } });
    }
    return { handle, offset: 0, size: stats.size };
  } catch (error) {
    await handle.close();
    throw MoteError.isInstance(error) ? error : readFailed(error, path);
  }
}
