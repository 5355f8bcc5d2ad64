import { mkdirSync, realpathSync } from "node:fs";
import { chmod, copyFile, constants as fileConstants, link, lstat, mkdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  type Cancellable,
  type ContentDestination,
  type DecompressedBlob,
  type Descriptor,
  type Digest,
  digestEncoded,
  errorCode,
  type Manifest,
  parseDigest,
  parseManifest,
} from "@mote/core";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import { writeVerified } from "../disk/atomic-write.js";
import { attempt, closedError, writeFailed } from "../disk/file-error.js";
import { makeFolders } from "../disk/make-folders.js";
import { keepAlive, removeOrphans } from "../disk/orphans.js";
import { temporaryPath } from "../disk/temporary-name.js";
import { type ArtifactFile, artifactFiles } from "./artifact-files.js";
import {
  blocked,
  differentFile,
  isFileOf,
  isNeverReplaced,
  lstatBelow,
  lstatIfExists,
  placeTree,
  wrongKind,
} from "./place-files.js";
import { StagedTree } from "./staged-tree.js";
import { unpackTar } from "./unpack-tar.js";

const location = "the artifact";

export interface FilesDestinationOptions extends UnpackOptions {
  /** Replace existing files with other content. Default: MOTE_EXISTS. */
  readonly overwrite?: boolean | undefined;
  /** Keep the cache's links: possibly read-only hard links to its files, which must not be written to. Default: separate files. */
  readonly link?: boolean | undefined;
}

/** The hidden staging folder. */
interface Staging {
  /** Its parent: the destination, with links resolved. */
  readonly root: string;
  readonly path: string;
  readonly alive: { stop(): void };
}

/**
 * A plain folder as the destination of an artifact's files; folders (by oras' annotation) are unpacked. Files are staged in a hidden
 * folder within it, and renamed by `commit`. Nothing is changed outside of it, or through a link in it. Dispose of it.
 */
export class FilesDestination implements ContentDestination {
  readonly #dir: string;
  readonly #overwrite: boolean;
  readonly #link: boolean;
  readonly #files: ArtifactFile[] = [];
  /** Blobs whose files all exist already. */
  readonly #present = new Set<Digest>();
  readonly #decompressedBlobs: DecompressedBlob[] = [];
  readonly #limits: UnpackLimits;
  #staging: Staging | undefined;
  /** The topmost folder created for it. */
  #made: string | undefined;
  #isClosed = false;
  #isCleanedUp = false;

  constructor(dir: string, options: FilesDestinationOptions = {}) {
    this.#dir = resolve(dir);
    this.#overwrite = options.overwrite ?? false;
    this.#link = options.link ?? false;
    this.#limits = new UnpackLimits(options);
  }

  /**
   * Checks before moving whether the manifest's files may be placed here. @returns what a user might not expect of the files
   * @throws MOTE_NOT_FILES · MOTE_INVALID_NAME · MOTE_EXISTS
   */
  async expect(manifest: Manifest, options: Cancellable = {}): Promise<readonly string[]> {
    const { files, notes } = artifactFiles(manifest);
    const absent = new Set<Digest>();
    const root = this.#root();
    for (const { title, descriptor, isFolder } of files) {
      const path = join(this.#dir, title);
      const there = root === undefined ? undefined : await lstatBelow(root, title);
      if (there !== undefined && isNeverReplaced(there, isFolder)) throw wrongKind(path, there);
      const isPresent = root !== undefined && (await isFileOf(join(root, title), descriptor, options));
      if (isPresent && !isFolder) this.#present.add(descriptor.digest);
      else absent.add(descriptor.digest);
      if (there !== undefined && !isFolder && absent.has(descriptor.digest) && !this.#overwrite)
        throw differentFile(path);
    }
    for (const digest of absent) this.#present.delete(digest);
    if (root !== undefined) await this.#cleanUp(root);
    return notes;
  }

  async has({ digest, size }: Descriptor, options: Cancellable = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    this.#assertOpen();
    if (this.#present.has(parseDigest(digest))) return true;
    if (this.#staging === undefined) return false;
    return (await lstatIfExists(join(this.#staging.path, digestEncoded(digest))))?.size === size;
  }

  /** Returns a path in the hidden folder, creating that. */
  linkable({ digest }: Descriptor): string {
    return join(this.#begin().path, digestEncoded(parseDigest(digest)));
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO, leaving no file */
  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options: Cancellable = {}): Promise<void> {
    const path = this.linkable(descriptor);
    await writeVerified(dirname(path), path, descriptor, chunks, options);
  }

  /** Reads which blobs are files, and their names. @throws MOTE_NOT_FILES · MOTE_INVALID_NAME · MOTE_INVALID_MANIFEST */
  async manifest({ mediaType }: Descriptor, bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    this.#files.push(...artifactFiles(parseManifest(bytes, mediaType)).files);
  }

  /** A plain folder has no names for manifests. */
  async tag(): Promise<void> {
    this.#assertOpen();
  }

  /**
   * Unpacks folders, and renames everything. @throws MOTE_EXISTS before anything is renamed · MOTE_INVALID_ARCHIVE ·
   * MOTE_TOO_LARGE · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO
   */
  async commit(options: Cancellable = {}): Promise<void> {
    this.#assertOpen();
    const coming = this.#files.filter(({ descriptor }) => !this.#present.has(descriptor.digest));
    if (coming.length === 0) return;
    const staging = this.#begin();
    const treePath = join(staging.path, "tree");
    await attempt(mkdir(treePath), treePath);
    const tree = new StagedTree(treePath);
    // The folder's mode reveals the umask, which cannot be read without setting it.
    const mode = (await attempt(lstat(treePath), treePath)).mode & 0o666;
    for (const [at, file] of coming.entries()) {
      options.signal?.throwIfAborted();
      const { title, contentDigest } = file;
      const { digest } = file.descriptor;
      const blob = join(staging.path, digestEncoded(digest));
      if (file.isFolder) {
        const unpacked = await unpackTar(blob, tree, { ...options, title, contentDigest, limits: this.#limits });
        this.#decompressedBlobs.push({ digest, ...unpacked });
      } else {
        const isLast = !coming.slice(at + 1).some(({ descriptor }) => descriptor.digest === digest);
        await this.#putFile(blob, tree.reserve(title, location), { isLast, mode });
      }
    }
    await tree.makeLinks(staging.root, location, options);
    await placeTree(tree.path, staging.root, { ...options, overwrite: this.#overwrite });
    await this.#cleanUp(staging.root);
    this.#made = undefined;
  }

  /** The folders that were unpacked. */
  decompressedBlobs(): Iterable<DecompressedBlob> {
    return this.#decompressedBlobs;
  }

  /** Removes the hidden folder, and the folders that were created and are still empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const staging = this.#staging;
    this.#staging = undefined;
    staging?.alive.stop();
    if (staging !== undefined) await rm(staging.path, { recursive: true, force: true });
    const kept = this.#made && dirname(this.#made);
    this.#made = undefined;
    try {
      if (kept !== undefined) for (let dir = this.#dir; dir !== kept; dir = dirname(dir)) await rmdir(dir);
    } catch {
      // A folder that is not empty has other content.
    }
  }

  async #putFile(
    blob: string,
    target: string,
    { isLast, mode }: { readonly isLast: boolean; readonly mode: number },
  ): Promise<void> {
    if (this.#link) return attempt(link(blob, target), target);
    const isOwn = (await attempt(lstat(blob), blob)).nlink === 1;
    if (isOwn && isLast) await attempt(rename(blob, target), target);
    else await attempt(copyFile(blob, target, fileConstants.COPYFILE_FICLONE | fileConstants.COPYFILE_EXCL), target);
    await attempt(chmod(target, mode), target);
  }

  /** Done before fetching, as orphans may fill the disk. */
  async #cleanUp(root: string): Promise<void> {
    if (!this.#isCleanedUp) await removeOrphans(root);
    this.#isCleanedUp = true;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError(this.#dir);
  }

  /** Resolves the folder's links; undefined if it does not exist. */
  #root(): string | undefined {
    try {
      return realpathSync(this.#dir);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw this.#unusable(error);
    }
  }

  #begin(): Staging {
    this.#assertOpen();
    if (this.#staging !== undefined) return this.#staging;
    try {
      this.#made = makeFolders(this.#dir);
      const root = realpathSync(this.#dir);
      const path = temporaryPath(root);
      mkdirSync(path, { mode: 0o700 });
      this.#staging = { root, path, alive: keepAlive(path) };
      return this.#staging;
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  #unusable(error: unknown) {
    // ENOENT for a dangling link.
    const isOther = ["EEXIST", "ENOTDIR", "ENOENT", "ELOOP"].includes(errorCode(error) ?? "");
    return isOther ? blocked(this.#dir, "not a folder, or below what is not one") : writeFailed(error, this.#dir);
  }
}
