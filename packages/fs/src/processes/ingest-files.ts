import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { type Digest, MoteError, type ProcessIdentity } from "@mote/core";
import { lstatIfThere, namesIn } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { livenessOf, ownIdentity } from "./process-identity.js";

/**
 * `tmp`: useless without its writer. `part`: a resumable write, kept after its writer ends. `ranges`: the same, with gaps; its `note` records
 * which ranges are written. `read`: a reader's link. `view`: its writer has changed tags that `index.json` may not show yet.
 */
export type IngestKind = (typeof kinds)[number];

const kinds = ["tmp", "part", "ranges", "note", "read", "view"] as const;

export interface IngestPath {
  readonly path: string;
  readonly name: string;
  /** Undefined for files of no blob, such as a tag's temporary file. */
  readonly digest: Digest | undefined;
  readonly owner: ProcessIdentity;
  readonly kind: IngestKind;
}

/** The owner of a file that no process writes: any may continue it at once. */
export const noOwner: ProcessIdentity = "0-0-0-0";

/** If the owner's state is unknown, a file untouched for this long is an orphan. */
const unknownSilenceMs = 60 * 60 * 1000;

/** Names files below `ingest/` as `<what>.<owner>.<serial>.<kind>`, and tells those of live writers from orphans. */
export class IngestFiles {
  readonly folder: CacheFolder;
  readonly #prefix = randomBytes(4).toString("hex");
  #owner: ProcessIdentity | undefined;
  #serial = 0;

  constructor(folder: CacheFolder) {
    this.folder = folder;
  }

  get owner(): ProcessIdentity {
    this.#owner ??= ownIdentity();
    return this.#owner;
  }

  /** Returns a unique path. */
  newPath(what: Digest | "file", kind: IngestKind): string {
    const subject = what === "file" ? what : CacheFolder.nameOf(what);
    return `${this.folder.ingest}/${subject}.${this.owner}.${this.#prefix}${this.#serial++}.${kind}`;
  }

  /** Creates a file at a path from `newPath`, or in a folder beside; the caller closes it. */
  create(path: string): number {
    return this.folder.createFile(path);
  }

  /** Returns a file's path after it is suspended. */
  abandonedPath(path: string): string {
    return path.replace(`.${this.owner}.`, `.${noOwner}.`);
  }

  /** Returns the path of the note of a file of the kind `ranges`. It stays the same when the file is suspended. */
  notePath({ name }: Pick<IngestPath, "name">): string {
    const [subject, , serial] = name.split(".");
    return `${this.folder.ingest}/${subject}.${noOwner}.${serial}.note`;
  }

  /** Creates a file with this content. */
  write(path: string, content: string | Uint8Array): void {
    const fd = this.create(path);
    try {
      fs.writeFileSync(fd, content);
    } finally {
      fs.closeSync(fd);
    }
  }

  list(): IngestPath[] {
    return namesIn(this.folder.ingest).flatMap((name) => this.parse(name) ?? []);
  }

  parse(name: string): IngestPath | undefined {
    const [subject, owner, serial, kind, ...rest] = name.split(".");
    if (subject === undefined || owner === undefined || serial === undefined || rest.length > 0) return undefined;
    if (name.includes("/")) return undefined;
    if (!isKind(kind)) return undefined;
    return { path: `${this.folder.ingest}/${name}`, name, digest: CacheFolder.digestOf(subject), owner, kind };
  }

  /** Returns whether the file's writer may still be active. */
  isAlive(file: Pick<IngestPath, "owner" | "path">): boolean {
    if (file.owner === this.owner) return true;
    if (file.owner === noOwner) return false;
    const verdict = livenessOf(file.owner);
    if (verdict !== "unknown") return verdict === "alive";
    const stats = lstatIfThere(file.path);
    return stats !== undefined && Math.abs(Date.now() - Math.max(stats.mtimeMs, stats.ctimeMs)) < unknownSilenceMs;
  }
}

function isKind(kind: string | undefined): kind is IngestKind {
  return kinds.some((known) => known === kind);
}

export function closedError(what: string): MoteError {
  return new MoteError("MOTE_CLOSED", `${what} is closed`);
}
