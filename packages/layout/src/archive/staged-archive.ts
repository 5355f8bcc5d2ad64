import type { Stats } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import {
  type Cancellable,
  type Descriptor,
  errorCode,
  type LockFile,
  type Logger,
  MoteError,
  type PathRef,
} from "@mote/core";
import { assertCanCompress, compressedFor } from "../compression/compress.js";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { closedError, writeFailed } from "../disk/file-error.js";
import { lockFolder } from "../disk/folder-lock.js";
import { makeFolders } from "../disk/make-folders.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";
import { LayoutDestination } from "../oci/layout-destination.js";
import { archiveInParts } from "../parts/part-names.js";
import { removeParts, writeParts } from "../parts/write-parts.js";
import { ArchiveFiles } from "../tar/archive-files.js";
import { type TarContent, tarChunks } from "../tar/tar-file.js";
import { writeStream } from "./output-stream.js";
import { findOutputTarget, type OutputTarget } from "./output-target.js";

/** Maximum attempts; each means that another process has added an image. */
const maxRounds = 100;

/** Error codes for an existing file that is not an archive of this kind. */
const otherContent: ReadonlySet<string> = new Set([
  "MOTE_NOT_FOUND",
  "MOTE_INVALID_ARCHIVE",
  "MOTE_INVALID_MANIFEST",
  "MOTE_UNSUPPORTED_FORMAT",
  "MOTE_TOO_LARGE",
]);

export interface ArchiveDestinationOptions {
  /** Replaces an image of the same name, or a file that is not such an archive. Keeps other images. Default: MOTE_EXISTS. */
  readonly overwrite?: boolean | undefined;
  /**
   * Writes parts of at most this many bytes beside each other, `FILE.001` and so on, and `FILE.parts.json` with their checksums. Replaces
   * earlier parts. An archive in one file is added to, and replaced by parts, or the reverse. At least 1 MiB. Default: one file.
   */
  readonly partBytes?: number | undefined;
  /** Receives messages about waiting. Default: none. */
  readonly logger?: Logger | undefined;
}

/** Composes an archive: called with the existing archive, and again if another process has replaced it. */
export type Compose = (existing: ArchiveFiles | undefined) => Promise<ReadonlyMap<string, TarContent>>;

/** An archive as a destination: a layout in a hidden folder beside it, where caches can link blobs in any order; `pack` writes the tar. */
export abstract class StagedArchive implements AsyncDisposable {
  /** Undefined for stdout, which cannot be read again. */
  readonly ref: PathRef | undefined;
  /** The archive's path from the user; `-` is stdout. */
  protected readonly path: string;
  protected readonly overwrite: boolean;
  readonly #partBytes: number | undefined;
  readonly #logger: Logger | undefined;
  readonly #assertKind: (files: ArchiveFiles, options: Cancellable) => Promise<void>;
  #closed = false;
  #target: OutputTarget | undefined;
  #existing: Existing | undefined;
  #staged: { readonly folder: TemporaryFolder; readonly layout: LayoutDestination } | undefined;

  /** @param assertKind throws if nothing can be added to an archive @throws MOTE_UNSUPPORTED_FORMAT for `.zst` if this Node cannot write it */
  constructor(
    file: string,
    transport: PathRef["transport"],
    { overwrite = false, partBytes, logger }: ArchiveDestinationOptions,
    assertKind: (files: ArchiveFiles, options: Cancellable) => Promise<void>,
  ) {
    this.path = file === "-" ? file : resolve(file);
    this.ref = file === "-" ? undefined : { transport, path: this.path };
    this.overwrite = overwrite;
    this.#partBytes = partBytes;
    this.#logger = logger;
    this.#assertKind = assertKind;
    assertCanCompress(this.path);
  }

  /** The layout's folder; undefined until the first use of `layout`. It may not exist yet. */
  protected get dir(): string | undefined {
    return this.#staged?.layout.ref.path;
  }

  /** Creates it on first use. @throws MOTE_CLOSED · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  protected get layout(): LayoutDestination {
    if (this.#closed) throw closedError(this.path);
    this.#staged ??= stageFor(this.#findTarget());
    return this.#staged.layout;
  }

  /** Returns whether it was written since the last commit. @throws MOTE_UNWRITABLE · MOTE_EXISTS if the path can neither be added to nor replaced */
  async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    await this.#assertWritable(options);
    return this.dir !== undefined && (await this.layout.has(descriptor, options));
  }

  /** Returns the archive that will be replaced or added to; undefined if there is none. @throws as `has` */
  protected async existing(options: Cancellable = {}): Promise<ArchiveFiles | undefined> {
    await this.#assertWritable(options);
    return this.#existing?.files;
  }

  /** Returns the blob's path until `commit`. */
  linkable(descriptor: Descriptor): string {
    return this.layout.linkable(descriptor);
  }

  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options?: Cancellable): Promise<void> {
    await this.layout.blob(descriptor, chunks, options);
  }

  /** Rejects an unwritable path before anything is fetched. @throws MOTE_UNWRITABLE · MOTE_EXISTS · MOTE_IO */
  async #assertWritable(options: Cancellable): Promise<void> {
    if (this.#closed || this.#existing !== undefined) return;
    const target = this.#findTarget();
    if (target.kind !== "file" || this.#partBytes !== undefined) return;
    await this.#inRounds(target.path, options, async () => {
      await this.#lstatIfExists(target.path, options);
      return true;
    });
  }

  /**
   * Replaces the archive, compressed by its extension, if it is still the file given to `compose`. An error replaces nothing.
   * @throws MOTE_EXISTS · MOTE_TIMEOUT · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO, and as `compose`
   */
  protected async pack(compose: Compose, options: Cancellable): Promise<void> {
    const staged = this.#staged;
    if (staged === undefined) return;
    const target = this.#findTarget();
    if (target.kind === "stream" && this.#partBytes !== undefined) throw notInParts(this.path);
    if (target.kind === "stream") {
      const tar = compressedFor(this.path, tarChunks(await compose(undefined), options));
      await writeStream(target.path, tar, { ...options, logger: this.#logger });
    } else if (this.#partBytes !== undefined) {
      const whole = await this.#lstatIfExists(target.path, options);
      const tar = compressedFor(this.path, tarChunks(await compose(whole.files), options));
      await writeParts(target.path, tar, { ...options, partBytes: this.#partBytes, folder: staged.folder.path });
      // Otherwise it would be read instead of the parts.
      if (identityOf(await statOf(target.path)) === whole.identity) await rm(target.path, { force: true });
    } else {
      const temporary = join(staged.folder.path, "archive");
      await this.#inRounds(target.path, options, () => this.#replace(target.path, temporary, compose, options));
    }
    await this.#discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#discard();
  }

  #findTarget(): OutputTarget {
    this.#target ??= findOutputTarget(this.path);
    return this.#target;
  }

  /** Retries errors caused by another process replacing the file. */
  async #inRounds(path: string, { signal }: Cancellable, work: () => Promise<boolean>): Promise<void> {
    for (let round = 1; round <= maxRounds; round++) {
      const before = identityOf(await statOf(path));
      try {
        if (await work()) return;
      } catch (error) {
        signal?.throwIfAborted();
        if (identityOf(await statOf(path)) === before) throw error;
      }
    }
    throw contended(this.path);
  }

  /** Returns false if the file has changed. */
  async #replace(path: string, temporary: string, compose: Compose, options: Cancellable): Promise<boolean> {
    const { signal } = options;
    const existing = await this.#lstatIfExists(path, options);
    const tar = compressedFor(this.path, tarChunks(await compose(existing.files), options));
    let lock: LockFile | undefined;
    try {
      const mayReplace = async () => {
        lock = await lockFolder(dirname(path), `${path}.lock`, { signal });
        return identityOf(await statOf(path)) === existing.identity && (await lock.isHeld());
      };
      const isWritten = await writeFileAtomically(path, tar, { temporary, mayReplace, mode: existing.mode, signal });
      // Their images are in the file, and who copies them would copy older ones.
      if (isWritten) await removeParts(path);
      return isWritten;
    } finally {
      await lock?.[Symbol.asyncDispose]();
    }
  }

  /** Returns the current file. @throws MOTE_EXISTS for a file that is not an archive of the kind, unless it may be replaced */
  async #lstatIfExists(path: string, options: Cancellable): Promise<Existing> {
    const stats = await statOf(path);
    const identity = identityOf(stats);
    if (this.#existing?.identity === identity) return this.#existing;
    await this.#forget();
    const mode = stats === undefined ? undefined : stats.mode & 0o777;
    const isInParts = stats === undefined && this.#partBytes === undefined && archiveInParts(path) !== undefined;
    if (!isInParts && (stats === undefined || stats.size === 0)) {
      this.#existing = { identity, mode, files: undefined };
      return this.#existing;
    }
    const files = new ArchiveFiles(path);
    try {
      await this.#assertKind(files, options);
      this.#existing = { identity, mode, files };
    } catch (error) {
      await files[Symbol.asyncDispose]();
      if (!MoteError.isInstance(error) || !otherContent.has(error.code)) throw error;
      if (!this.overwrite) throw occupied(this.path, error);
      this.#existing = { identity, mode, files: undefined };
    }
    return this.#existing;
  }

  async #forget(): Promise<void> {
    const existing = this.#existing;
    this.#existing = undefined;
    await existing?.files?.[Symbol.asyncDispose]();
  }

  async #discard(): Promise<void> {
    const staged = this.#staged;
    this.#staged = undefined;
    await this.#forget();
    await staged?.folder[Symbol.asyncDispose]();
  }
}

interface Existing {
  readonly identity: string;
  readonly mode: number | undefined;
  /** Undefined if there is no archive to add an image to. */
  readonly files: ArchiveFiles | undefined;
}

/** Beside a file, so that it can be renamed; for a stream, in the system's temporary folder. */
function stageFor(target: OutputTarget) {
  const parent = target.kind === "file" ? dirname(target.path) : tmpdir();
  try {
    makeFolders(parent);
  } catch (error) {
    throw writeFailed(error, target.path);
  }
  const folder = new TemporaryFolder(parent, target.path);
  return { folder, layout: new LayoutDestination(join(folder.path, "layout")) };
}

/** Does not follow links: a link put there in the meantime is not replaced. */
async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw writeFailed(error, path);
  }
}

function identityOf(stats: Stats | undefined): string {
  if (stats === undefined) return "absent";
  return [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.isFile()].join(":");
}

function occupied(path: string, cause: MoteError): MoteError {
  const message = `${path} exists, and no image can be added to it: ${cause.message}; choose another name`;
  return new MoteError("MOTE_EXISTS", message, { cause, details: { path } });
}

function notInParts(path: string): MoteError {
  const message = `cannot write ${path === "-" ? "stdout" : path} in parts: it is not a file; name a file`;
  return new MoteError("MOTE_UNWRITABLE", message, { details: { path } });
}

function contended(path: string): MoteError {
  const message = `cannot write ${path}: other processes replaced it ${maxRounds} times; try again when they have ended`;
  return new MoteError("MOTE_TIMEOUT", message, { details: { path } });
}
