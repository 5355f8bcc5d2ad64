import fs from "node:fs";
import { dirname, resolve } from "node:path";
import {
  checkImageLayout,
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestBytes,
  digestEncoded,
  errorCode,
  isDigest,
  MoteError,
  makeFolders,
  parseRecord,
} from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { FolderChanges } from "../disk/folder-changes.js";
import { lstatIfThere, readPlainFile } from "../disk/plain-file.js";
import { checkFolderLocation } from "./folder-location.js";

/** The format version of `.mote/`. */
const formatVersion = 1;
const algorithms: readonly DigestAlgorithm[] = ["sha256", "sha384", "sha512"];
/** Maximum attempts to create a file in a folder that other processes may remove as empty. */
const attempts = 10;

const fileMode = 0o644;
const folderMode = 0o755;
/** With set-group-id, new files and folders inherit the group. */
const sharedFolderMode = 0o2775;

/** Who may write to a cache: its owner, or also a group, but never others. */
export interface SharedWith {
  /** Group id. Default: inherited from the parent folder, or the process's own. */
  readonly group?: number | undefined;
}

/**
 * The paths of a cache: an OCI image layout (image-spec, image-layout.md), with mote's own files below `.mote/`.
 *
 *     oci-layout  index.json  blobs/<algorithm>/<encoded>
 *     .mote/format.json  ingest/  quarantine/  tags/  leases/  pins/  manifests/  pruning/  chunks/  leads/  repositories/  checks/
 *     names/  uploads/  waiting/  view.json
 */
export class CacheFolder {
  readonly root: string;
  readonly blobs: string;
  readonly indexFile: string;
  readonly layoutFile: string;
  readonly formatFile: string;
  readonly ingest: string;
  readonly quarantine: string;
  readonly tags: string;
  readonly leases: string;
  readonly pins: string;
  readonly manifests: string;
  readonly pruning: string;
  readonly chunks: string;
  readonly writerLocks: string;
  readonly repositories: string;
  readonly checks: string;
  readonly names: string;
  readonly uploads: string;
  readonly waiting: string;
  readonly viewFile: string;
  readonly #own: string;
  /** All folders of the cache, parents first. */
  readonly #folders: readonly string[];
  /** Of the folders that contain the others. */
  readonly #changes: readonly FolderChanges[];
  /** Whether all folders existed when they were last looked at. */
  #isComplete = false;
  readonly #shared: SharedWith | undefined;

  constructor(root: string, shared: SharedWith | undefined) {
    this.root = resolve(root);
    this.blobs = `${this.root}/blobs`;
    this.indexFile = `${this.root}/index.json`;
    this.layoutFile = `${this.root}/oci-layout`;
    const own = `${this.root}/.mote`;
    this.#own = own;
    this.formatFile = `${own}/format.json`;
    this.ingest = `${own}/ingest`;
    this.quarantine = `${own}/quarantine`;
    this.tags = `${own}/tags`;
    this.leases = `${own}/leases`;
    this.pins = `${own}/pins`;
    this.manifests = `${own}/manifests`;
    this.pruning = `${own}/pruning`;
    this.chunks = `${own}/chunks`;
    this.writerLocks = `${own}/leads`;
    this.repositories = `${own}/repositories`;
    this.checks = `${own}/checks`;
    this.names = `${own}/names`;
    this.uploads = `${own}/uploads`;
    this.waiting = `${own}/waiting`;
    this.viewFile = `${own}/view.json`;
    this.#shared = shared;
    this.#folders = [
      this.blobs,
      own,
      ...this.blobFolders().map(({ path }) => path),
      this.ingest,
      this.quarantine,
      this.tags,
      this.leases,
      this.pins,
      this.manifests,
      this.pruning,
      this.writerLocks,
      this.chunks,
      this.repositories,
      this.checks,
      this.names,
      this.uploads,
      this.waiting,
    ];
    this.#changes = [new FolderChanges(this.blobs), new FolderChanges(own)];
  }

  /** Returns the cache's existing folders that every user may write to, and in which every user can thus replace files. */
  writableByAll(): string[] {
    return [this.root, ...this.#folders].filter((path) => {
      const stats = fs.statSync(path, { throwIfNoEntry: false });
      return stats?.isDirectory() === true && (stats.mode & 0o002) !== 0;
    });
  }

  /** The mode of a new blob, which is never written to again. */
  static readonly blobMode = 0o444;

  blobPath(digest: Digest): string {
    return `${this.blobs}/${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
  }

  folderOf(digest: Digest): string {
    return `${this.blobs}/${digestAlgorithm(digest)}`;
  }

  /** The folders of finished blobs. */
  blobFolders(): readonly { readonly algorithm: DigestAlgorithm; readonly path: string }[] {
    return algorithms.map((algorithm) => ({ algorithm, path: `${this.blobs}/${algorithm}` }));
  }

  /** Returns a digest as a file name, without a colon. */
  static nameOf(digest: Digest): string {
    return `${digestAlgorithm(digest)}-${digestEncoded(digest)}`;
  }

  static digestOf(name: string): Digest | undefined {
    const text = name.replace("-", ":");
    return isDigest(text) ? text : undefined;
  }

  /** Returns the hash of any text as a file name. */
  static hashOf(text: string): string {
    return digestEncoded(digestBytes(Buffer.from(text)));
  }

  /**
   * Inspects the folder without changing it. @throws MOTE_UNSUPPORTED_FORMAT for a newer version, or symbolic links in place of its own
   * folders · MOTE_UNWRITABLE if the path is not a directory
   */
  inspect(): "cache" | "layout" | "empty" {
    checkFolderLocation(this.root);
    this.refuseLinks();
    const format = readPlainFile(this.formatFile);
    if (format !== undefined) {
      checkFormat(format, this.formatFile);
      return "cache";
    }
    const layout = readPlainFile(this.layoutFile);
    if (layout === undefined) return "empty";
    checkImageLayout(layout, this.root);
    return "layout";
  }

  makeFolders(): void {
    try {
      const isNew =
        makeFolders(this.root, { mkdirSync: fs.mkdirSync, statSync: fs.statSync, dirname }, { mode: folderMode }) !==
        undefined;
      if (isNew || !fs.existsSync(this.#own)) this.#shareRoot();
      for (const path of this.#folders) this.#makeFolder(path);
    } catch (error) {
      throw fileError(error, "write", this.root);
    }
  }

  /** Makes a folder below one of the cache's own, if it does not exist. @throws the system calls' errors */
  makeFolderBelow(path: string): void {
    this.#makeFolder(path);
  }

  /** Calls `create` for a file in a folder two levels below one of the cache's own, which is made as well. @throws the system calls' errors */
  createBelow(folder: string, create: () => void): void {
    for (let attempt = 1; ; attempt++) {
      try {
        this.#makeFolder(dirname(folder));
        this.#makeFolder(folder);
        create();
        return;
      } catch (error) {
        if (errorCode(error) !== "ENOENT" || attempt === attempts) throw error;
      }
    }
  }

  #makeFolder(path: string): void {
    try {
      fs.mkdirSync(path, { mode: folderMode });
    } catch (error) {
      if (errorCode(error) === "EEXIST" && fs.lstatSync(path).isDirectory()) return;
      throw error;
    }
    if (this.#shared === undefined) return;
    if (this.#shared.group !== undefined) fs.chownSync(path, -1, this.#shared.group);
    // Regardless of the umask.
    fs.chmodSync(path, sharedFolderMode);
  }

  /** Gives the root to the group, as the group replaces `index.json`. The permissions of others stay the same. */
  #shareRoot(): void {
    if (this.#shared === undefined) return;
    if (this.#shared.group !== undefined) fs.chownSync(this.root, -1, this.#shared.group);
    fs.chmodSync(this.root, (fs.statSync(this.root).mode & 0o775) | 0o2770);
  }

  /** Creates one of the cache's own files; the caller closes it. All who can read a shared cache's folder can read it. */
  createFile(path: string): number {
    const fd = fs.openSync(path, "wx", fileMode);
    if (this.isShared) fs.fchmodSync(fd, fileMode);
    return fd;
  }

  get isShared(): boolean {
    return this.#shared !== undefined;
  }

  formatText(): string {
    return `${JSON.stringify({ format: "mote-cache", version: formatVersion })}\n`;
  }

  /** As `refuseLinks`, but looks at all folders only if one may have been removed or replaced since the last call. */
  refuseNewLinks(): boolean {
    // Each is looked at, also after one that has changed.
    const looks = this.#changes.map((changes) => changes.look());
    if (!looks.includes(true)) return this.#isComplete;
    try {
      this.#isComplete = this.refuseLinks();
      return this.#isComplete;
    } catch (error) {
      for (const changes of this.#changes) changes.reset();
      throw error;
    }
  }

  /** @returns whether all of its folders exist @throws MOTE_UNSUPPORTED_FORMAT if one of them is a symbolic link */
  refuseLinks(): boolean {
    let isComplete = true;
    for (const path of this.#folders) {
      const stats = lstatIfThere(path);
      if (stats === undefined) isComplete = false;
      if (!stats?.isSymbolicLink()) continue;
      throw new MoteError(
        "MOTE_UNSUPPORTED_FORMAT",
        `cannot use ${path}: a cache does not follow symbolic links; put a folder there, or use another cache folder`,
        { details: { path } },
      );
    }
    return isComplete;
  }
}

function checkFormat(bytes: Uint8Array, path: string): void {
  const body = parseRecord(new TextDecoder().decode(bytes));
  const version = body?.format === "mote-cache" ? body.version : undefined;
  if (version === formatVersion) return;
  const found = typeof version === "number" ? `version ${version}` : "no version that can be read";
  throw new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `${path} has ${found}; this release supports version ${formatVersion}: use a newer release, or another cache folder`,
    { details: { path, version } },
  );
}
