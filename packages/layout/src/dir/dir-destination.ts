import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { join, resolve as resolvePath } from "node:path";
import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  errorCode,
  isManifestType,
  MoteError,
  type PathRef,
  parseDigest,
} from "@mote/core";
import { assertNotLink } from "../disk/assert-inside.js";
import { writeVerified } from "../disk/atomic-write.js";
import { closedError, readFailed, writeFailed } from "../disk/file-error.js";
import { makeFolders } from "../disk/make-folders.js";
import { isFileOfSize } from "../disk/opened-file.js";
import { removeOrphans } from "../disk/orphans.js";
import { readPlainFile } from "../disk/plain-file.js";
import { isTemporaryName } from "../disk/temporary-name.js";
import { assertDirVersion, dirBlobPath, dirInstanceName, dirVersion } from "./dir-content.js";

/** A folder in the format of skopeo's `dir` transport as a destination, for one unnamed image. Rejects a folder with other content. */
export class DirDestination implements ContentDestination {
  readonly ref: PathRef;
  readonly #dir: string;
  /** Whether this object began the image, and created the folder. */
  #begun = false;
  #closed = false;
  #made = false;
  /** The file of the image's own manifest, stored twice until `commit`. */
  #twice: string | undefined;

  constructor(dir: string) {
    this.#dir = resolvePath(dir);
    this.ref = { transport: "dir", path: this.#dir };
  }

  /** Checks for a regular file of the right size. @throws MOTE_UNSUPPORTED_FORMAT if the folder holds other content */
  async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    this.#assertOwnOrEmpty();
    const path = this.#pathOf(descriptor);
    return isFileOfSize(path, descriptor.size);
  }

  /** Returns the blob's future path, and creates its folder. */
  linkable(descriptor: Descriptor): string {
    const path = this.#pathOf(descriptor);
    this.#prepare();
    return path;
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO, leaving no file */
  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options: Cancellable = {}): Promise<void> {
    await writeVerified(this.#dir, this.linkable(descriptor), descriptor, chunks, options);
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options: Cancellable = {}): Promise<void> {
    this.#prepare();
    // It is a manifest, whatever its media type.
    const path = join(this.#dir, dirInstanceName(parseDigest(descriptor.digest)));
    await writeVerified(this.#dir, path, descriptor, [bytes], options);
  }

  /** Makes the manifest the image's own, replacing an earlier one; ignores `name`. @throws MOTE_NOT_FOUND if the manifest is missing */
  async tag(_name: string, descriptor: Descriptor, options: Cancellable = {}): Promise<void> {
    const path = this.#pathOf(descriptor);
    const bytes = readManifest(path);
    const own = join(this.#dir, "manifest.json");
    assertNotLink(own);
    await writeVerified(this.#dir, own, descriptor, [bytes], options);
    this.#twice = path;
  }

  async commit(): Promise<void> {
    if (this.#twice !== undefined) await rm(this.#twice, { force: true });
    this.#twice = undefined;
    await removeOrphans(this.#dir);
  }

  /** Removes the folder that was created here, if it is still empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (!this.#begun) return;
    this.#begun = false;
    try {
      if (readdirSync(this.#dir).some((name) => name !== "version")) return;
      await rm(join(this.#dir, "version"), { force: true });
      if (this.#made) await rmdir(this.#dir);
    } catch {
      // It is already gone, or another process has written to it.
    }
  }

  #pathOf({ digest, mediaType }: Descriptor): string {
    const path = dirBlobPath(this.#dir, parseDigest(digest));
    return isManifestType(mediaType) ? join(this.#dir, dirInstanceName(digest)) : path;
  }

  #prepare(): void {
    this.#assertOwnOrEmpty();
    try {
      const version = join(this.#dir, "version");
      if (makeFolders(this.#dir) !== undefined) this.#made = true;
      if (existsSync(version)) return;
      assertNotLink(version);
      this.#begun = true;
      writeFileSync(version, dirVersion);
    } catch (error) {
      throw writeFailed(error, this.#dir);
    }
  }

  #assertOwnOrEmpty(): void {
    if (this.#closed) throw closedError(this.#dir);
    try {
      assertDirVersion(new TextDecoder().decode(readPlainFile(join(this.#dir, "version"))), this.#dir);
    } catch (error) {
      if (MoteError.isInstance(error)) throw error;
      if (!existsSync(this.#dir)) return;
      if (errorCode(error) === "ENOENT" && readdirSync(this.#dir).every(isTemporaryName)) return;
      throw new MoteError(
        "MOTE_UNSUPPORTED_FORMAT",
        `${this.#dir} does not contain a dir: image; choose an empty or a new folder`,
        { cause: error, details: { path: this.#dir } },
      );
    }
  }
}

function readManifest(path: string): Uint8Array {
  try {
    return readPlainFile(path);
  } catch (error) {
    throw MoteError.isInstance(error) ? error : readFailed(error, path);
  }
}
