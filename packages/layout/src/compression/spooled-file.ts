import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cancellable } from "@mote/core";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";

/** A stream without random access, such as stdin or the content of a gzip, as a file in a temporary folder, removed on dispose. */
export class SpooledFile extends TemporaryFolder {
  readonly file: string = join(this.path, "archive");

  /** @throws MOTE_NO_SPACE · MOTE_UNWRITABLE · MOTE_IO · what `chunks` throws */
  static async write(chunks: AsyncIterable<Uint8Array>, { signal }: Cancellable): Promise<SpooledFile> {
    const spooled = new SpooledFile(tmpdir());
    try {
      await writeFileAtomically(spooled.file, chunks, { temporary: `${spooled.file}.part`, signal });
      return spooled;
    } catch (error) {
      await spooled[Symbol.asyncDispose]();
      throw error;
    }
  }
}
