import type { OldFile } from "./old-file.js";
import type { TarEntry } from "./tar-parts.js";

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";

/** The files of one layer, and what it hides of the layers below (image-spec, layer.md). */
export class LayerFiles {
  readonly #files = new Map<string, OldFile>();
  /** What is not a folder: hides a path and everything below it. */
  readonly #hidden = new Set<string>();
  /** Hide everything below a folder. */
  readonly #opaque = new Set<string>();

  /** @param file undefined unless the entry is a regular file */
  add({ path, isFolder }: TarEntry, file: OldFile | undefined): void {
    if (path === undefined) return;
    const slash = path.lastIndexOf("/") + 1;
    const name = path.slice(slash);
    if (name === opaque) this.#opaque.add(path.slice(0, Math.max(0, slash - 1)));
    else if (name.startsWith(whiteout)) this.#hidden.add(path.slice(0, slash) + name.slice(whiteout.length));
    else {
      this.#files.delete(path);
      if (file !== undefined) this.#files.set(path, file);
      if (!isFolder) this.#hidden.add(path);
    }
  }

  /** Returns the files of this layer and those of the layers below that it does not hide. */
  over(below: ReadonlyMap<string, OldFile>): Map<string, OldFile> {
    const files = new Map<string, OldFile>();
    for (const [path, file] of below) if (!this.#hides(path)) files.set(path, file);
    for (const [path, file] of this.#files) files.set(path, file);
    return files;
  }

  #hides(path: string): boolean {
    if (this.#hidden.has(path) || this.#opaque.has("")) return true;
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const folder = path.slice(0, slash);
      if (this.#hidden.has(folder) || this.#opaque.has(folder)) return true;
    }
    return false;
  }
}
