import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

const secret = "must not be read or changed\n";
const maxFollowed = 40;

/**
 * A directory for hostile artifacts, with files and directories around it that must not change, at each level above it and with
 * names that hostile entries use too.
 */
export class GuardedFolder {
  readonly base: string;
  readonly path: string;
  #outside: string;
  /** The user's own links in the directory, which may lead anywhere. */
  #userLinks: ReadonlyMap<string, string> = new Map();

  constructor(parent: string) {
    this.base = realpathSync(mkdtempSync(join(parent, "guarded-")));
    this.path = join(this.base, "1/2/3/into");
    mkdirSync(dirname(this.path), { recursive: true });
    for (let dir = dirname(this.path); ; dir = dirname(dir)) {
      for (const name of ["b", "c", "payload"]) writeFileSync(join(dir, name), secret);
      for (const name of ["a", "t"]) mkdirSync(join(dir, name));
      for (const name of ["a", "t"]) writeFileSync(join(dir, name, "b"), secret);
      if (dir === this.base) break;
    }
    this.#outside = this.#look();
  }

  /** Empties the directory, and creates the user's links (name and target). */
  reset(userLinks: Readonly<Record<string, string>>): void {
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(this.path);
    for (const [name, target] of Object.entries(userLinks)) {
      mkdirSync(dirname(join(this.path, name)), { recursive: true });
      symlinkSync(target, join(this.path, name));
    }
    this.#userLinks = new Map(Object.entries(userLinks).map(([name, target]) => [join(this.path, name), target]));
  }

  /** Returns what was changed outside, or left inside. */
  faults(): string[] {
    const faults: string[] = [];
    if (this.#look() !== this.#outside) faults.push("something outside was changed");
    for (const path of this.#below(this.path)) {
      const stats = lstatSync(path);
      const name = relative(this.path, path);
      if (name.startsWith(".mote-")) faults.push(`${name} is left`);
      if (stats.isSymbolicLink()) {
        const isUsers = this.#userLinks.get(path) === readlinkSync(path);
        if (!isUsers && this.#leadsOut(path)) faults.push(`${name} leads out, to ${readlinkSync(path)}`);
      } else if (stats.isFile()) {
        if (readFileSync(path, "latin1").includes(secret)) faults.push(`${name} has what a file outside has`);
        if ((stats.mode & 0o7000) !== 0) faults.push(`${name} has mode ${stats.mode.toString(8)}`);
      } else if (!stats.isDirectory()) faults.push(`${name} is a device or a pipe`);
    }
    return faults;
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }

  /** Returns the state of everything outside, which a write or a hard link would change. */
  #look(): string {
    const lines: string[] = [];
    for (const path of this.#below(this.base)) {
      const stats = lstatSync(path);
      // A change of the content, the mode or the links of a file changes ctime.
      lines.push([path, stats.mode, stats.ino, stats.isFile() ? stats.ctimeMs : ""].join(" "));
    }
    return lines.join("\n");
  }

  /** Yields everything below a directory, except the content of the guarded directory. */
  *#below(dir: string): Generator<string> {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (path === this.path) continue;
      yield path;
      if (entry.isDirectory()) yield* this.#below(path);
    }
  }

  /** Resolves a path as the kernel does, name by name. A dangling link resolves to nothing. */
  #leadsOut(path: string): boolean {
    let at = dirname(path);
    const rest = [path.slice(at.length + 1)];
    for (let followed = 0; ; ) {
      const name = rest.shift();
      if (at !== this.path && !at.startsWith(`${this.path}/`)) return true;
      if (name === undefined) return false;
      if (name === "" || name === ".") continue;
      const next = name === ".." ? dirname(at) : join(at, name);
      const stats = lstatSync(next, { throwIfNoEntry: false });
      if (stats === undefined) return false;
      if (!stats.isSymbolicLink()) {
        if (!stats.isDirectory()) return false;
        at = next;
        continue;
      }
      followed++;
      if (followed > maxFollowed) return false;
      const target = readlinkSync(next);
      if (!target.startsWith("/")) rest.unshift(...target.split("/"));
      else if (!`${target}/`.startsWith(`${this.path}/`)) return true;
      else {
        at = this.path;
        rest.unshift(...target.slice(this.path.length).split("/"));
      }
    }
  }
}
