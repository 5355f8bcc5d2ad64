import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Cancellable } from "@mote/core";
import { assertCanCompress, compressedFor } from "./compress.js";
import { closedError, writeFailed } from "./file-error.js";
import { LayoutDestination } from "./layout-destination.js";
import { makeFolders } from "./make-folders.js";
import { type TarContent, tarChunks } from "./tar-file.js";
import { writeWholeFile } from "./whole-file.js";

/**
 * A layout in a hidden folder beside an archive-to-be. A tar is written from front to back and blobs come in any order, so they
 * are gathered here, where a cache can link them for nothing, and packed when all is there.
 */
export class ArchiveStaging implements AsyncDisposable {
  /** Of the archive. */
  readonly path: string;
  #closed = false;
  #staged: { readonly dir: string; readonly layout: LayoutDestination } | undefined;

  /** @throws MOTE_UNSUPPORTED_FORMAT where it is called `.zst`, and this Node cannot write that */
  constructor(file: string) {
    this.path = resolve(file);
    assertCanCompress(this.path);
  }

  /** The folder of the layout; undefined while nothing was put there. */
  get dir(): string | undefined {
    return this.#staged && join(this.#staged.dir, "layout");
  }

  /** Made when it is first asked for. @throws MOTE_CLOSED · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  get layout(): LayoutDestination {
    if (this.#closed) throw closedError(this.path);
    this.#staged ??= stageBeside(this.path);
    return this.#staged.layout;
  }

  /** Puts the archive in its place, compressed if its name says so, in one piece, over one that is there; the staged things are gone then. */
  async pack(files: ReadonlyMap<string, TarContent>, options: Cancellable): Promise<void> {
    if (this.#staged === undefined) return;
    const temporary = join(this.#staged.dir, "archive");
    const tar = compressedFor(this.path, tarChunks(files, options));
    await writeWholeFile(this.path, tar, { temporary, signal: options.signal });
    await this.#discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#discard();
  }

  async #discard(): Promise<void> {
    const staged = this.#staged;
    this.#staged = undefined;
    if (staged !== undefined) await rm(staged.dir, { recursive: true, force: true });
  }
}

function stageBeside(path: string) {
  try {
    makeFolders(dirname(path));
    const dir = mkdtempSync(join(dirname(path), ".mote-"));
    return { dir, layout: new LayoutDestination(join(dir, "layout")) };
  } catch (error) {
    throw writeFailed(error, path);
  }
}
