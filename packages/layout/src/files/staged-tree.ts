import { linkSync, lstatSync, mkdirSync, type Stats, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Cancellable, errorCode, MoteError } from "@mote/core";
import { attempt, invalidArchive, writeFailed } from "../disk/file-error.js";
import { LinkCheck } from "./link-check.js";

/** Written in one call, which is several times faster than many. */
const smallBytes = 64 * 1024;
const maxLinks = 100_000;
const linksPerTurn = 256;

export interface NewFile {
  readonly size: number;
  readonly isProgram: boolean;
  /** Permission bits, of which the umask is subtracted. Default: those of a program or a file. */
  readonly mode?: number | undefined;
  readonly content: AsyncIterable<Uint8Array> & { whole(): Promise<Uint8Array> };
}

export interface MakeLinksOptions extends Cancellable {
  /** Called for each link that would lead out. */
  readonly onRejected?: ((path: string, reason: string) => void) | undefined;
}

/**
 * A tree of files, folders and links, built in a private folder. Every parent is a real folder; symbolic links are made last, so
 * nothing is created through them. The last duplicate wins, as in tar.
 */
export class StagedTree {
  readonly path: string;
  readonly #folders = new Set<string>(["."]);
  /** Pending symbolic links: path and target. */
  readonly #links = new Map<string, string>();

  /** `path` is an empty folder that nothing else writes to. */
  constructor(path: string) {
    this.path = path;
  }

  /** Creates its folder. @throws MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  static async create(path: string): Promise<StagedTree> {
    await attempt(mkdir(path), path);
    return new StagedTree(path);
  }

  /** Creates a folder and its parents. @throws MOTE_INVALID_ARCHIVE · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  folder(path: string, location: string): void {
    if (this.#folders.has(path)) return;
    this.folder(dirname(path), location);
    if (this.#links.has(path)) throw invalidArchive(location, `${JSON.stringify(path)} is a link and a folder`);
    this.#attempt(
      path,
      (at) => {
        try {
          mkdirSync(at);
        } catch (error) {
          if (errorCode(error) !== "EEXIST" || !look(at)?.isDirectory()) throw error;
        }
      },
      location,
    );
    this.#folders.add(path);
  }

  /** Creates a regular file. @throws as `folder` */
  async file(
    path: string,
    { size, isProgram, mode = isProgram ? 0o777 : 0o666, content }: NewFile,
    location: string,
    { signal }: Cancellable,
  ): Promise<void> {
    const options = { flag: "wx", mode } as const;
    if (size <= smallBytes) {
      this.folder(dirname(path), location);
      this.#links.delete(path);
      const bytes = await content.whole();
      // Most names are new, so look only after an error.
      if (isWritten(join(this.path, path), bytes, options)) return;
      this.#clear(path, location);
      this.#attempt(path, (at) => writeFileSync(at, bytes, options), location);
      return;
    }
    this.#clear(path, location);
    const at = join(this.path, path);
    const handle = await attempt(open(at, options.flag, options.mode), at);
    try {
      for await (const chunk of content) {
        signal?.throwIfAborted();
        await attempt(handle.writeFile(chunk), at);
      }
    } finally {
      await handle.close();
    }
  }

  /** Creates a hard link to a file of this tree. @throws as `folder`; also if `target` is not a regular file of this tree */
  hardLink(path: string, target: string, location: string): void {
    const isInside = this.#folders.has(dirname(target)) && !this.#links.has(target);
    if (!isInside || !look(join(this.path, target))?.isFile()) {
      throw invalidArchive(location, `the link ${JSON.stringify(path)} leads to no file before it`);
    }
    if (path === target) return;
    this.#clear(path, location);
    this.#attempt(path, (at) => linkSync(join(this.path, target), at), location);
  }

  /** Records a symbolic link for `makeLinks`. @throws as `folder` */
  link(path: string, target: string, location: string): void {
    this.#clear(path, location);
    if (this.#links.size >= maxLinks) throw invalidArchive(location, `it has more than ${maxLinks} links`);
    this.#links.set(path, target);
  }

  /** Prepares a path for a new file: creates its folder, removes the old entry. @throws as `folder` */
  reserve(path: string, location: string): string {
    this.#clear(path, location);
    return join(this.path, path);
  }

  /**
   * Creates the symbolic links last, if each stays inside `destination`. With `onRejected`, others are left out.
   * @throws MOTE_INVALID_ARCHIVE, and as `folder`
   */
  async makeLinks(destination: string, location: string, { signal, onRejected }: MakeLinksOptions): Promise<void> {
    const check = new LinkCheck(this.path, destination, this.#links);
    let count = 0;
    for (const [path, target] of this.#links) {
      const reason = reasonAgainst(check, path, target);
      if (reason !== undefined) {
        if (onRejected === undefined) throw invalidArchive(location, `the link ${JSON.stringify(path)} ${reason}`);
        this.#links.delete(path);
        onRejected(path, reason);
      }
      count++;
      if (count % linksPerTurn !== 0) continue;
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
    for (const [path, target] of this.#links) this.#attempt(path, (at) => symlinkSync(target, at), location);
    this.#links.clear();
  }

  /** Creates an entry's folder, and removes an earlier entry of its name. */
  #clear(path: string, location: string): void {
    this.folder(dirname(path), location);
    if (this.#links.delete(path)) return;
    const before = this.#attempt(path, look, location);
    if (before === undefined) return;
    if (before.isDirectory()) throw invalidArchive(location, `${JSON.stringify(path)} is a folder and something else`);
    this.#attempt(path, unlinkSync, location);
  }

  #attempt<T>(path: string, make: (at: string) => T, location: string): T {
    const at = join(this.path, path);
    try {
      return make(at);
    } catch (error) {
      const number = errorCode(error);
      if (number === "EEXIST" || number === "ENOTDIR" || number === "EISDIR") {
        throw invalidArchive(location, `${JSON.stringify(path)} is there twice, or below what is not a folder`);
      }
      throw writeFailed(error, at);
    }
  }
}

/** Returns false if something exists; the next attempt reports other errors. */
function isWritten(at: string, bytes: Uint8Array, options: { readonly flag: "wx"; readonly mode: number }): boolean {
  try {
    writeFileSync(at, bytes, options);
    return true;
  } catch {
    return false;
  }
}

function reasonAgainst(check: LinkCheck, path: string, target: string): string | undefined {
  try {
    return check.reasonAgainst(path, target);
  } catch (error) {
    if (MoteError.isInstance(error)) throw error;
    return `could not be checked (${String(error)})`;
  }
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
