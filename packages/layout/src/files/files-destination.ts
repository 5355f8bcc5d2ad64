import { realpathSync } from "node:fs";
import { chmod, copyFile, constants as fileConstants, link, lstat, rename, rmdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  type Cancellable,
  type ContentDestination,
  type DecompressedBlob,
  type Descriptor,
  type Digest,
  digestBytes,
  digestEncoded,
  errorCode,
  type Manifest,
  MoteError,
  mediaTypes,
  parseDigest,
  parseManifest,
} from "@mote/core";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import { writeVerified } from "../disk/atomic-write.js";
import { attempt, closedError } from "../disk/file-error.js";
import { removeOrphans } from "../disk/orphans.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";
import { type Arrange, identityOf } from "./arranged-files.js";
import { type ArtifactFile, artifactFiles, pathOf } from "./artifact-files.js";
import { isInPlace, lstatIfExists, openFolder, placeTree, unusableFolder } from "./place-files.js";
import { StagedTree } from "./staged-tree.js";
import { unpackTar } from "./unpack-tar.js";

const location = "the artifact";
const shownTitles = 10;
// Only needed with `arrange`, whose users pass the real one.
const unknownManifest: Descriptor = {
  mediaType: mediaTypes.octetStream,
  digest: digestBytes(new Uint8Array()),
  size: 0,
};

export interface FilesDestinationOptions extends UnpackOptions {
  /** Replace existing files with other content. Default: MOTE_EXISTS. */
  readonly overwrite?: boolean | undefined;
  /** Keep the cache's links: possibly read-only hard links to its files, which must not be written to. Default: separate files. */
  readonly link?: boolean | undefined;
  /** Write only the files that this returns true for. Default: all. */
  readonly only?: ((file: ArtifactFileInfo) => boolean) | undefined;
  /** Where the files are placed. Default: below the folder, under their titles. */
  readonly arrange?: Arrange | undefined;
}

export interface ExpectOptions extends Cancellable {
  /** Of the manifest. */
  readonly descriptor?: Descriptor | undefined;
}

/** A file of an artifact. */
export interface ArtifactFileInfo {
  /** Its path below the folder. */
  readonly title: string;
  /** Of its layer. */
  readonly annotations: Readonly<Record<string, string>>;
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
  readonly #pointers: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  readonly #only: FilesDestinationOptions["only"];
  readonly #arrange: Arrange;
  /** Blobs of files that are not wanted. */
  readonly #unwanted = new Set<Digest>();
  /** Blobs whose files all exist already. */
  readonly #present = new Set<Digest>();
  readonly #decompressedBlobs: DecompressedBlob[] = [];
  readonly #limits: UnpackLimits;
  /** The hidden staging folder, in the destination with its links resolved. */
  #staging: TemporaryFolder | undefined;
  /** The topmost folder created for it. */
  #made: string | undefined;
  #isClosed = false;
  #isCleanedUp = false;

  constructor(dir: string, options: FilesDestinationOptions = {}) {
    this.#dir = resolve(dir);
    this.#overwrite = options.overwrite ?? false;
    this.#link = options.link ?? false;
    this.#only = options.only;
    this.#arrange = options.arrange ?? artifactFiles;
    this.#limits = new UnpackLimits(options);
  }

  /**
   * Checks before moving whether the manifest's files may be placed here. @returns what a user might not expect of the files
   * @throws MOTE_NOT_FILES · MOTE_INVALID_NAME · MOTE_EXISTS
   */
  async expect(manifest: Manifest, options: ExpectOptions = {}): Promise<readonly string[]> {
    const { descriptor: self = unknownManifest } = options;
    const { files: all, notes, pointers = [] } = this.#arrange(manifest, self);
    const files = this.#wanted(all);
    for (const { descriptor } of all) this.#unwanted.add(descriptor.digest);
    for (const { descriptor } of files) this.#unwanted.delete(descriptor.digest);
    const absent = new Set<Digest>();
    const root = this.#root();
    const placing = { ...options, overwrite: this.#overwrite };
    for (const file of files) {
      const { descriptor, isFolder } = file;
      const wanted = { path: pathOf(file), descriptor, isFolder };
      if (await isInPlace(root, this.#dir, wanted, placing)) this.#present.add(descriptor.digest);
      else absent.add(descriptor.digest);
    }
    for (const digest of absent) this.#present.delete(digest);
    for (const pointer of pointers) {
      const descriptor = { ...self, ...identityOf(pointer, self) };
      await isInPlace(root, this.#dir, { path: pointer.path, descriptor, isFolder: false }, placing);
    }
    if (root !== undefined) await this.#cleanUp(root);
    return notes;
  }

  wants({ digest }: Descriptor): boolean {
    return !this.#unwanted.has(digest);
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
  async manifest(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    const { files, pointers = [] } = this.#arrange(parseManifest(bytes, descriptor.mediaType), descriptor);
    this.#files.push(...this.#wanted(files));
    for (const { path, content } of pointers) {
      this.#pointers.push({ path, bytes: content === "manifest" ? bytes : content });
    }
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
    if (coming.length === 0 && this.#pointers.length === 0) return;
    const staging = this.#begin();
    const tree = await StagedTree.create(join(staging.path, "tree"));
    // The folder's mode reveals the umask, which cannot be read without setting it.
    const mode = (await attempt(lstat(tree.path), tree.path)).mode & 0o666;
    for (const [at, file] of coming.entries()) {
      options.signal?.throwIfAborted();
      const { contentDigest } = file;
      const { digest } = file.descriptor;
      const blob = join(staging.path, digestEncoded(digest));
      if (file.isFolder) {
        const unpacked = await unpackTar(blob, tree, {
          ...options,
          title: file.root ?? file.title,
          below: file.below,
          contentDigest,
          limits: this.#limits,
        });
        this.#decompressedBlobs.push({ digest, ...unpacked });
      } else {
        const isLast = !coming.slice(at + 1).some(({ descriptor }) => descriptor.digest === digest);
        // A program may be executed by all who may read it.
        const fileMode = file.isProgram ? mode | ((mode & 0o444) >> 2) : mode;
        await this.#putFile(blob, tree.reserve(pathOf(file), location), { isLast, mode: fileMode });
      }
    }
    const root = dirname(staging.path);
    await tree.makeLinks(root, location, options);
    await placeTree(tree.path, root, { ...options, overwrite: this.#overwrite });
    await this.#placePointers(staging, options);
    await this.#cleanUp(root);
    this.#made = undefined;
  }

  /** Returns the paths of the files and unpacked folders below the folder, also of those that were there. */
  paths(): readonly string[] {
    return [...new Set([...this.#files.map(pathOf), ...this.#pointers.map(({ path }) => path)])];
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
    await staging?.[Symbol.asyncDispose]();
    const kept = this.#made && dirname(this.#made);
    this.#made = undefined;
    try {
      if (kept !== undefined) for (let dir = this.#dir; dir !== kept; dir = dirname(dir)) await rmdir(dir);
    } catch {
      // A folder that is not empty has other content.
    }
  }

  /** @throws MOTE_NOT_FOUND if none is */
  #wanted(files: readonly ArtifactFile[]): readonly ArtifactFile[] {
    const only = this.#only;
    if (only === undefined) return files;
    const wanted = files.filter(({ title, descriptor: { annotations = {} } }) => only({ title, annotations }));
    if (wanted.length > 0) return wanted;
    const titles = files.map(({ title }) => title);
    const shown = `${titles.slice(0, shownTitles).join(", ")}${titles.length > shownTitles ? ", …" : ""}`;
    throw new MoteError("MOTE_NOT_FOUND", `none of the files of the artifact is selected; it has ${shown}`, {
      details: { titles },
    });
  }

  /** Places the files that refer to others, which are complete now. */
  async #placePointers(staging: TemporaryFolder, options: Cancellable): Promise<void> {
    const tree = await StagedTree.create(join(staging.path, "pointers"));
    for (const pointer of this.#pointers) {
      const target = tree.reserve(pointer.path, location);
      await attempt(writeFile(target, pointer.bytes, { flag: "wx" }), target);
    }
    await placeTree(tree.path, dirname(staging.path), { ...options, overwrite: this.#overwrite });
  }

  async #putFile(
    blob: string,
    target: string,
    { isLast, mode }: { readonly isLast: boolean; readonly mode: number },
  ): Promise<void> {
    if (this.#link) return attempt(isLast ? rename(blob, target) : link(blob, target), target);
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
      throw unusableFolder(error, this.#dir);
    }
  }

  #begin(): TemporaryFolder {
    this.#assertOpen();
    if (this.#staging !== undefined) return this.#staging;
    const { root, made } = openFolder(this.#dir);
    this.#made = made;
    this.#staging = new TemporaryFolder(root, this.#dir);
    return this.#staging;
  }
}
