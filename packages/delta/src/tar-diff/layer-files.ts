import type { OldFile } from "./old-file.js";
import type { TarEntry } from "./tar-parts.js";

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";
/** Entries with more are ignored: each folder above a path is looked up. */
const maxPathNames = 256;

/** The regular files of the layers of an image, the topmost read first, without those that a layer above hides (image-spec, layer.md). */
export class LayerFiles {
  readonly files = new Map<string, OldFile>();
  /** What is not a folder: hides a path and everything below it. */
  readonly #hidden = new Set<string>();
  /** Hide everything below a folder. */
  readonly #opaque = new Set<string>();
  /** What the current layer hides of the layers below. */
  #nextHidden: string[] = [];
  #nextOpaque: string[] = [];

  /** Adds an entry of the current layer. Returns its file, or undefined if it is not a regular file or is hidden. */
  add<File extends OldFile>({ path, isRegular, isFolder }: TarEntry, open: (path: string) => File): File | undefined {
    // Everything below a hidden path is hidden too, so what such an entry hides does not matter.
    if (path === undefined || this.#isHidden(path)) return undefined;
    const slash = path.lastIndexOf("/") + 1;
    const name = path.slice(slash);
    if (name === opaque) this.#nextOpaque.push(path.slice(0, Math.max(0, slash - 1)));
    else if (name.startsWith(whiteout)) this.#nextHidden.push(path.slice(0, slash) + name.slice(whiteout.length));
    else {
      // Of equal paths in a layer the last one counts.
      this.files.delete(path);
      if (!isFolder) this.#nextHidden.push(path);
      if (!isRegular) return undefined;
      const file = open(path);
      this.files.set(path, file);
      return file;
    }
    return undefined;
  }

  /** Ends the current layer. The next entry is one of the layer below. */
  endLayer(): void {
    for (const path of this.#nextHidden) this.#hidden.add(path);
    for (const folder of this.#nextOpaque) this.#opaque.add(folder);
    this.#nextHidden = [];
    this.#nextOpaque = [];
  }

  /** Returns whether a layer above hides a path, or it has too many names. */
  #isHidden(path: string): boolean {
    if (this.#hidden.has(path) || this.#opaque.has("")) return true;
    let names = 1;
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      if (++names > maxPathNames) return true;
      const folder = path.slice(0, slash);
      if (this.#hidden.has(folder) || this.#opaque.has(folder)) return true;
    }
    return false;
  }
}
