import type { CooperativeYield } from "../disk/cooperative-yield.js";
import { FolderChanges } from "../disk/folder-changes.js";
import { namesIn } from "../disk/plain-file.js";
import { isOfOneTag, readTag, tagFileOf } from "./tag-file.js";

/** A snapshot of the names, in order. */
export interface OrderedNames {
  readonly names: readonly string[];
  /** The file of each. */
  readonly files: readonly string[];
  /** The error of a tag whose name is unknown because its file cannot be read. */
  readonly error: unknown;
}

/**
 * The names of all tags, in memory and in order. A file's name is a hash of the tag's name, so a file's tag never changes: only
 * new files are read.
 */
export class TagNames {
  readonly #folder: string;
  readonly #yields: CooperativeYield;
  readonly #viewed: () => Promise<readonly string[]>;
  readonly #changes: FolderChanges;
  #names: Map<string, string> | undefined;
  #unviewed = new Set<string>();
  #current: OrderedNames = { names: [], files: [], error: undefined };
  #looking: Promise<unknown> = Promise.resolve();

  /** @param viewed returns names that are known without reading files; names without a tag are ignored */
  constructor(folder: string, yields: CooperativeYield, viewed: () => Promise<readonly string[]>) {
    this.#folder = folder;
    this.#yields = yields;
    this.#viewed = viewed;
    this.#changes = new FolderChanges(folder);
  }

  current(): Promise<OrderedNames> {
    // Not shared: a tag may have been set since an earlier listing.
    const look = this.#looking.then(() => this.#look());
    this.#looking = look.catch(() => {});
    return look;
  }

  /** Returns the names that had to be read from their files, and were not returned before. */
  async takeUnviewed(): Promise<string[]> {
    await this.current();
    const names = [...this.#unviewed];
    this.#unviewed = new Set();
    return names;
  }

  async #look(): Promise<OrderedNames> {
    if (!this.#changes.look() && this.#current.error === undefined) return this.#current;
    try {
      return await this.#read();
    } catch (error) {
      this.#changes.reset();
      throw error;
    }
  }

  async #read(): Promise<OrderedNames> {
    this.#names ??= await this.#fromView();
    const known = this.#names;
    const found = new Map<string, string>();
    let isSame = true;
    let error: unknown;
    for (const file of namesIn(this.#folder).filter((each) => each.endsWith(".json"))) {
      let name = known.get(file);
      if (name === undefined) {
        await this.#yields.yieldIfDue();
        try {
          name = readTag(`${this.#folder}/${file}`)?.name;
        } catch (cause) {
          if (!isOfOneTag(cause)) throw cause;
          error ??= cause;
        }
        if (name === undefined) continue;
        isSame = false;
        this.#unviewed.add(name);
      }
      found.set(file, name);
    }
    if (!isSame || found.size !== this.#current.names.length || error !== this.#current.error) {
      this.#names = found;
      const ordered = [...found].sort(([, a], [, b]) => (a < b ? -1 : 1));
      this.#current = { names: ordered.map(([, name]) => name), files: ordered.map(([file]) => file), error };
    }
    return this.#current;
  }

  async #fromView(): Promise<Map<string, string>> {
    const names = new Map<string, string>();
    for (const name of await this.#viewed()) {
      await this.#yields.yieldIfDue();
      names.set(tagFileOf(name), name);
    }
    return names;
  }
}
