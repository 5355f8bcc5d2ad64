import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@mote/core";
import { readFailed } from "../disk/file-error.js";
import { maxNameBytes } from "../tar/entry-name.js";

/** Linux's limit for one path (path_resolution(7)). */
const maxFollowed = 40;
/** Limit on lookups for all links of a tree. */
const maxSteps = 5_000_000;

/** A real folder of the tree, of the destination, or of both. */
interface Folder {
  /** Below the root, with `/` between names; "" for the root. */
  readonly path: string;
  readonly isStaged: boolean;
  readonly isThere: boolean;
}

type Found =
  | { readonly kind: "folder"; readonly folder: Folder }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "other" };

/** Checks symbolic links of a tree to be moved into a folder, resolving them over both like the file system. */
export class LinkCheck {
  readonly #tree: string;
  readonly #destination: string;
  readonly #links: ReadonlyMap<string, string>;
  #steps = 0;

  /** The tree's `links` (path and target) do not exist yet. */
  constructor(tree: string, destination: string, links: ReadonlyMap<string, string>) {
    this.#tree = tree;
    this.#destination = destination;
    this.#links = links;
  }

  /** Returns why a link must not be made, or undefined. It stays inside whatever is pulled later: `..` comes only after real folders. */
  reasonAgainst(path: string, target: string): string | undefined {
    if (target === "") return "has no target";
    if (/[\\\0]|^[A-Za-z]:/.test(target) || Buffer.byteLength(target) > maxNameBytes) {
      return `has the target ${JSON.stringify(target.slice(0, 200))}, which is not a valid path`;
    }
    const parents: Folder[] = [{ path: "", isStaged: true, isThere: true }];
    for (const name of path.split("/").slice(0, -1)) {
      const found = this.#find(parents, name);
      if (found.kind !== "folder") return `is below ${JSON.stringify(name)}, which is not a folder`;
      parents.push(found.folder);
    }
    const leadsOut = `leads to ${JSON.stringify(target.slice(0, 200))}, out of the folder`;
    if (target.startsWith("/")) return leadsOut;
    const names = namesOf(target);
    if (!this.#climbsRealFolders([...parents], names)) {
      return `${leadsOut}, or may do so later: ".." comes after what is not a folder`;
    }
    return this.#staysInside(parents, names) ? undefined : leadsOut;
  }

  #climbsRealFolders(at: Folder[], names: readonly string[]): boolean {
    for (const [index, name] of names.entries()) {
      if (name === "..") {
        at.pop();
        if (at.length === 0) return false;
        continue;
      }
      const found = this.#find(at, name);
      if (found.kind !== "folder") return !names.slice(index).includes("..");
      at.push(found.folder);
    }
    return true;
  }

  #staysInside(start: readonly Folder[], names: readonly string[]): boolean {
    let at = [...start];
    const rest = [...names].reverse();
    let followed = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "..") {
        at.pop();
        if (at.length === 0) return false;
        continue;
      }
      const found = this.#find(at, name);
      if (found.kind === "folder") at.push(found.folder);
      // It leads nowhere now, and must not lead out later.
      if (found.kind === "other") return staysAboveDepth(0, at.length, [name, ...rest.reverse()]);
      if (found.kind !== "link") continue;
      followed++;
      if (followed > maxFollowed) return true;
      const inside = this.#belowDestination(found.target);
      if (found.target.startsWith("/")) {
        if (inside === undefined) return false;
        at = at.slice(0, 1);
      }
      rest.push(...namesOf(inside ?? found.target).reverse());
    }
    return true;
  }

  /** Returns an absolute target's path below the destination, if inside. */
  #belowDestination(target: string): string | undefined {
    if (target === this.#destination) return "";
    return target.startsWith(`${this.#destination}/`) ? target.slice(this.#destination.length + 1) : undefined;
  }

  #find(parents: readonly Folder[], name: string): Found {
    const parent = parents.at(-1);
    this.#steps++;
    if (parent === undefined || this.#steps > maxSteps) throw new RangeError("its links refer to each other too often");
    const path = parent.path === "" ? name : `${parent.path}/${name}`;
    const planned = parent.isStaged ? this.#links.get(path) : undefined;
    if (planned !== undefined) return { kind: "link", target: planned };
    const staged = parent.isStaged ? look(join(this.#tree, path)) : undefined;
    const there = parent.isThere ? look(join(this.#destination, path)) : undefined;
    if (staged?.isDirectory() || (staged === undefined && there?.isDirectory())) {
      const isThere = there?.isDirectory() ?? false;
      return { kind: "folder", folder: { path, isStaged: staged !== undefined, isThere } };
    }
    if (staged !== undefined || !there?.isSymbolicLink()) return { kind: "other" };
    return { kind: "link", target: readlinkSync(join(this.#destination, path)) };
  }
}

function namesOf(target: string): string[] {
  return target.split("/").filter((name) => name !== "" && name !== ".");
}

/** Returns whether these names never climb above depth `least` from depth `depth`, if none is a link. */
function staysAboveDepth(least: number, depth: number, names: readonly string[]): boolean {
  let now = depth;
  for (const name of names) {
    now += name === ".." ? -1 : 1;
    if (now <= least) return false;
  }
  return true;
}

function look(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const number = errorCode(error);
    if (number === "ENOTDIR" || number === "ENAMETOOLONG") return undefined;
    throw readFailed(error, path);
  }
}
