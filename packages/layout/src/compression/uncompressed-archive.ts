import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cancellable } from "@mote/core";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { writeFailed } from "../disk/file-error.js";
import type { OpenedFile } from "../disk/opened-file.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";
import { type Compression, uncompressed } from "./uncompress.js";
import type { UnpackLimits } from "./unpack-limits.js";

/** Random access in gzip or zstd is impossible, so decompresses once into a temporary folder, removed on dispose. */
export class UncompressedArchive implements AsyncDisposable {
  readonly path: string;
  readonly #folder: TemporaryFolder;

  private constructor() {
    try {
      this.#folder = new TemporaryFolder(tmpdir());
    } catch (error) {
      throw writeFailed(error, tmpdir());
    }
    this.path = join(this.#folder.path, "archive.tar");
  }

  /** @throws MOTE_INVALID_ARCHIVE if it is damaged · MOTE_TOO_LARGE · MOTE_NO_SPACE · MOTE_IO */
  static async from(
    file: OpenedFile,
    location: string,
    {
      compression,
      limits,
      ...options
    }: Cancellable & { readonly compression: Compression; readonly limits: UnpackLimits },
  ): Promise<UncompressedArchive> {
    const archive = new UncompressedArchive();
    try {
      const temporary = `${archive.path}.part`;
      const chunks = limits.bounded(uncompressed(file, location, { compression, ...options }), location);
      await writeFileAtomically(archive.path, chunks, { temporary, ...options });
      return archive;
    } catch (error) {
      await archive[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
