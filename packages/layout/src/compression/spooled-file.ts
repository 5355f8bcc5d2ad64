import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cancellable } from "@mote/core";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";

/** An archive from stdin, which has no offsets, in a temporary folder, removed on dispose. */
export class SpooledStdin extends TemporaryFolder {
  readonly file: string = join(this.path, "archive");

  /** @throws MOTE_NO_SPACE · MOTE_UNWRITABLE · MOTE_IO */
  static async read(options: Cancellable): Promise<SpooledStdin> {
    const spooled = new SpooledStdin(tmpdir());
    try {
      await writeFileAtomically(spooled.file, process.stdin, { temporary: `${spooled.file}.part`, ...options });
      return spooled;
    } catch (error) {
      await spooled[Symbol.asyncDispose]();
      throw error;
    }
  }
}
