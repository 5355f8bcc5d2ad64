import fs from "node:fs";
import type { Digest } from "@mote/core";
import { CacheFolder } from "./cache-folder.js";
import { fileFault, isAbsent } from "./file-fault.js";

/** A set of digests, kept as a folder with one small file for each. */
export class DigestFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  add(digest: Digest, text = ""): void {
    const path = this.#pathOf(digest);
    try {
      if (!fs.existsSync(path)) fs.writeFileSync(path, text);
    } catch (error) {
      throw fileFault(error, "write", path);
    }
  }

  remove(digest: Digest): void {
    const path = this.#pathOf(digest);
    try {
      fs.unlinkSync(path);
    } catch (error) {
      if (!isAbsent(error)) throw fileFault(error, "write", path);
    }
  }

  /** Undefined where the digest is not in the set. */
  textOf(digest: Digest): string | undefined {
    const path = this.#pathOf(digest);
    try {
      return fs.readFileSync(path, "utf8");
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw fileFault(error, "read", path);
    }
  }

  list(): Digest[] {
    try {
      return fs.readdirSync(this.#folder).flatMap((name) => CacheFolder.digestOf(name) ?? []);
    } catch (error) {
      if (isAbsent(error)) return [];
      throw fileFault(error, "read", this.#folder);
    }
  }

  #pathOf(digest: Digest): string {
    return `${this.#folder}/${CacheFolder.nameOf(digest)}`;
  }
}
