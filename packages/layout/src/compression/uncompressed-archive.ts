import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cancellable } from "@mote/core";
import { writeFileAtomically } from "../disk/atomic-write.js";
import type { OpenedFile } from "../disk/opened-file.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";
import { type Compression, uncompressed } from "./uncompress.js";
import type { UnpackLimits } from "./unpack-limits.js";

type UncompressOptions = Cancellable & { readonly compression: Compression; readonly limits: UnpackLimits };

/** Random access in gzip or zstd is impossible, so decompresses once into a temporary folder, removed on dispose. */
export class UncompressedArchive extends TemporaryFolder {
  readonly tar: string = join(this.path, "archive.tar");

  /** @throws MOTE_INVALID_ARCHIVE if it is damaged · MOTE_TOO_LARGE · MOTE_NO_SPACE · MOTE_IO */
  static async from(
    file: OpenedFile,
    location: string,
    { compression, limits, ...options }: UncompressOptions,
  ): Promise<UncompressedArchive> {
    const archive = new UncompressedArchive(tmpdir());
    try {
      const temporary = `${archive.tar}.part`;
      const chunks = limits.bounded(uncompressed(file, location, { compression, ...options }), location);
      await writeFileAtomically(archive.tar, chunks, { temporary, ...options });
      return archive;
    } catch (error) {
      await archive[Symbol.asyncDispose]();
      throw error;
    }
  }
}
