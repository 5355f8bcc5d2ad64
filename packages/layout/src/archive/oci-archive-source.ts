import { resolve } from "node:path";
import type { UnpackOptions } from "../compression/unpack-limits.js";
import { LayoutContent } from "../oci/layout-content.js";
import { ArchiveFiles } from "../tar/archive-files.js";

/** A tar of an OCI image layout as a source, read in place. If compressed, decompresses into a temporary folder: dispose of it. */
export class OciArchiveSource extends LayoutContent implements AsyncDisposable {
  readonly #archive: ArchiveFiles;

  constructor(file: string, options: UnpackOptions = {}) {
    const path = file === "-" ? file : resolve(file);
    const archive = new ArchiveFiles(path, options);
    super(archive, { transport: "oci-archive", path });
    this.#archive = archive;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive[Symbol.asyncDispose]();
  }
}
