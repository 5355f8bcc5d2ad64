import { existsSync, linkSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve as resolvePath } from "node:path";
import {
  type Cancellable,
  type ContentDestination,
  checkImageLayout,
  type Descriptor,
  digestAlgorithm,
  digestBytes,
  errorCode,
  isAbsent,
  MoteError,
  type PathRef,
  parseDigest,
} from "@mote/core";
import { assertInside, isRealFolder } from "../disk/assert-inside.js";
import { writeVerified } from "../disk/atomic-write.js";
import { closedError, readFailed, writeFailed } from "../disk/file-error.js";
import { makeFolders } from "../disk/make-folders.js";
import { FolderFiles } from "../disk/named-files.js";
import { isFileOfSize } from "../disk/opened-file.js";
import { removeOrphans } from "../disk/orphans.js";
import { readPlainFile } from "../disk/plain-file.js";
import { isTemporaryName, temporaryPath } from "../disk/temporary-name.js";
import { emptyIndex, readIndexEntries, removeIndexEntries, setIndexEntry } from "./index-file.js";
import { contentOnlyBelow } from "./layout-closure.js";
import { blobPath, indexPath, markerPath } from "./layout-paths.js";

const marker = `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`;

/**
 * A folder in the OCI image layout (image-spec, image-layout.md) as a destination, created on the first write. Rejects a folder
 * with other content. If nothing was written, dispose removes what it created.
 */
export class LayoutDestination implements ContentDestination {
  readonly ref: PathRef;
  readonly #dir: string;
  /** Whether this object created the layout, and the topmost folder it created. */
  #begun = false;
  #closed = false;
  #made: string | undefined;
  #checked = false;
  /** The folder of blobs that was found in this turn of the event loop. */
  #found: string | undefined;
  #cleaning: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = resolvePath(dir);
    this.ref = { transport: "oci", path: this.#dir };
  }

  /** Checks for a regular file of the right size. @throws MOTE_UNSUPPORTED_FORMAT if the folder is not a layout, or a newer version */
  async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    const path = blobPath(this.#dir, parseDigest(descriptor.digest));
    this.#assertLayoutOrEmpty();
    return isFileOfSize(path, descriptor.size);
  }

  /** Returns the blob's future path, and creates its folder. @throws MOTE_EXISTS if a link leads out of the layout */
  linkable(descriptor: Descriptor): string {
    const path = blobPath(this.#dir, parseDigest(descriptor.digest));
    this.#prepare(dirname(path), { checksMarker: !this.#checked });
    return path;
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO, leaving no file */
  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options: Cancellable = {}): Promise<void> {
    await writeVerified(this.#dir, this.linkable(descriptor), descriptor, chunks, options);
  }

  /** Compares an existing file, and replaces it if it is damaged. @throws as `blob` */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options: Cancellable = {}): Promise<void> {
    const path = blobPath(this.#dir, parseDigest(descriptor.digest));
    this.#prepare(dirname(path), { checksMarker: true });
    const there = readIfThere(path);
    if (there !== undefined && Buffer.compare(there, bytes) === 0 && isContentOf(descriptor, bytes)) return;
    await writeVerified(this.#dir, path, descriptor, [bytes], options);
  }

  /**
   * Sets the name in `index.json`, or lists the manifest without one if `name` is its digest. Safe for concurrent processes.
   * @throws MOTE_NOT_FOUND if the manifest is not here · MOTE_INVALID_NAME
   */
  async tag(name: string, descriptor: Descriptor, options: Cancellable = {}): Promise<void> {
    assertName(name, this.#dir);
    if (!(await this.has(descriptor, options))) {
      throw new MoteError("MOTE_NOT_FOUND", `${descriptor.digest} cannot be tagged: it is not in ${this.#dir}`, {
        details: { path: this.#dir, digest: descriptor.digest },
      });
    }
    await setIndexEntry(this.#dir, name, descriptor, options);
  }

  /** Removes names, and the content that only they refer to. No other process may write to the layout meanwhile. @throws MOTE_UNWRITABLE · MOTE_IO */
  async untag(names: ReadonlySet<string>, options: Cancellable = {}): Promise<void> {
    const files = new FolderFiles(this.#dir);
    const { kept, removed } = await removeIndexEntries(this.#dir, names, options);
    for (const name of await contentOnlyBelow(removed, kept, [files], options)) {
      const path = join(this.#dir, name);
      assertInside(this.#dir, dirname(path));
      await rm(path, { force: true });
    }
  }

  /** Removes the folders and the empty index that were created here, if they are still empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#cleaning;
    if (!this.#begun) return;
    this.#begun = false;
    const kept = this.#made === undefined ? this.#dir : dirname(this.#made);
    try {
      const blobs = join(this.#dir, "blobs");
      if (existsSync(blobs)) {
        for (const algorithm of readdirSync(blobs)) await rmdir(join(blobs, algorithm));
        await rmdir(blobs);
      }
      if ((await readIndexEntries(new FolderFiles(this.#dir))).length > 0) return;
      await rm(indexPath(this.#dir), { force: true });
      await rm(markerPath(this.#dir), { force: true });
      for (let dir = this.#dir; dir !== kept; dir = dirname(dir)) await rmdir(dir);
    } catch {
      // A folder that is not empty is in use.
    }
  }

  /**
   * Repeated in each turn of the event loop, as another process may have removed the empty folders; it costs two system calls. That process
   * removes the marker after these, so it is checked again before each manifest.
   */
  #prepare(blobs: string, { checksMarker }: { readonly checksMarker: boolean }): void {
    this.#assertLayoutOrEmpty();
    try {
      if (!checksMarker && this.#found === blobs) return;
      if (!checksMarker && isRealFolder(dirname(blobs)) && isRealFolder(blobs)) {
        this.#found = blobs;
        setImmediate(() => {
          this.#found = undefined;
        });
        return;
      }
      const made = makeFolders(this.#dir);
      this.#made ??= made;
      if (!existsSync(markerPath(this.#dir))) {
        this.#begun = true;
        this.#putNew(markerPath(this.#dir), marker);
        this.#putNew(indexPath(this.#dir), emptyIndex);
      }
      if (!statSync(blobs, { throwIfNoEntry: false })?.isDirectory()) {
        // Resolve a link before creating anything below it.
        makeFolders(dirname(blobs));
        assertInside(this.#dir, dirname(blobs));
        makeFolders(blobs);
      }
      assertInside(this.#dir, blobs);
    } catch (error) {
      throw MoteError.isInstance(error) ? error : writeFailed(error, this.#dir);
    }
  }

  /** Creates a complete file, never replacing one that another process created. */
  #putNew(path: string, content: string | Uint8Array): void {
    const temporary = temporaryPath(this.#dir);
    try {
      writeFileSync(temporary, content, { flag: "wx" });
      nameNew(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  #assertLayoutOrEmpty(): void {
    if (this.#closed) throw closedError(this.#dir);
    if (this.#checked) return;
    try {
      checkImageLayout(readPlainFile(markerPath(this.#dir)), this.#dir);
      this.#cleaning ??= removeOrphans(this.#dir);
      this.#checked = true;
    } catch (error) {
      if (MoteError.isInstance(error)) throw error;
      if (!isAbsent(error)) throw readFailed(error, this.#dir);
      this.#assertEmpty();
    }
  }

  #assertEmpty(): void {
    let names: readonly string[];
    try {
      names = readdirSync(this.#dir);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      throw this.#foreign(errorCode(error) === "ENOTDIR" ? "is not a directory" : "cannot be read", error);
    }
    if (names.every(isTemporaryName) || existsSync(markerPath(this.#dir))) return;
    throw this.#foreign("is not empty and not an OCI image layout");
  }

  #foreign(what: string, cause?: unknown): MoteError {
    return new MoteError("MOTE_UNSUPPORTED_FORMAT", `${this.#dir} ${what}; choose an empty or a new folder`, {
      cause,
      details: { path: this.#dir },
    });
  }
}

/** Replaces whatever is there instead of a manifest's file. */
function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readPlainFile(path);
  } catch {
    return undefined;
  }
}

function nameNew(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    // Some file systems have no hard links.
    if (errorCode(error) !== "EEXIST" && !existsSync(path)) renameSync(temporary, path);
  }
}

/** image-spec, annotations.md, further restricts names with "should"; Docker's tags may begin with `_`. @throws MOTE_INVALID_NAME */
export function assertName(name: string, dir: string): void {
  if (typeof name === "string" && name.length <= 4096 && /^[^\s\p{Cc}@][^\s\p{Cc}]*$/u.test(name)) return;
  throw new MoteError("MOTE_INVALID_NAME", `${JSON.stringify(name)} cannot be a name in the layout ${dir}`, {
    details: { name },
  });
}

function isContentOf({ digest, size }: Descriptor, bytes: Uint8Array): boolean {
  return bytes.byteLength === size && digestBytes(bytes, digestAlgorithm(digest)) === digest;
}
