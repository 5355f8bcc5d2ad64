import {
  type Cancellable,
  type ContentDestination,
  checkImageLayout,
  type Descriptor,
  MoteError,
  maxManifestBytes,
} from "@mote/core";
import { FolderFiles, readSmallFile } from "../disk/named-files.js";
import { mergeIndex } from "../oci/index-file.js";
import { contentOnlyBelow } from "../oci/layout-closure.js";
import type { ArchiveFiles } from "../tar/archive-files.js";
import type { TarContent } from "../tar/tar-file.js";
import { inOrder, layoutFiles } from "./layout-files.js";
import { type ArchiveDestinationOptions, StagedArchive } from "./staged-archive.js";

/**
 * A tar of an OCI image layout as a destination, complete after `commit`. Adds images to an existing archive, which an error leaves
 * unchanged. Writes a FIFO, a device or `-` (stdout) sequentially. The same content in the same order of tags gives the same bytes.
 */
export class OciArchiveDestination extends StagedArchive implements ContentDestination {
  constructor(file: string, options: ArchiveDestinationOptions = {}) {
    super(file, "oci-archive", options, assertLayout);
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options?: Cancellable): Promise<void> {
    await this.layout.manifest(descriptor, bytes, options);
  }

  /** @throws MOTE_NOT_FOUND if the manifest was not written here · MOTE_INVALID_NAME */
  async tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void> {
    await this.layout.tag(name, descriptor, options);
  }

  /** @throws MOTE_EXISTS unless `overwrite` is set · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_TIMEOUT · MOTE_IO */
  async commit(options: Cancellable = {}): Promise<void> {
    const { dir } = this;
    if (dir === undefined) return;
    const compose = async (existing: ArchiveFiles | undefined) => {
      const own = await layoutFiles(dir);
      return existing === undefined ? own : this.#added(existing, own, new FolderFiles(dir), options);
    };
    await this.pack(compose, options);
  }

  /** Merges both. Staged files were verified, so they replace files of the same name. */
  async #added(
    existing: ArchiveFiles,
    own: ReadonlyMap<string, TarContent>,
    staged: FolderFiles,
    options: Cancellable,
  ): Promise<ReadonlyMap<string, TarContent>> {
    const { path, overwrite } = this;
    const merged = await mergeIndex(existing, staged, { ...options, overwrite, path });
    const dropped = await contentOnlyBelow(merged.replaced, merged.entries, [staged, existing], options);
    const files = new Map(own).set("index.json", { bytes: merged.bytes });
    const more = (await existing.names(options)).filter((name) => !files.has(name) && !dropped.has(name));
    for (const name of more) files.set(name, { path, open: () => existing.open(name, options) });
    return inOrder(files);
  }
}

/** @throws MOTE_UNSUPPORTED_FORMAT if it is not a layout, or has other content */
async function assertLayout(files: ArchiveFiles, options: Cancellable): Promise<void> {
  checkImageLayout(
    await readSmallFile(files, "oci-layout", { ...options, maxBytes: maxManifestBytes }),
    files.location,
  );
  if (!(await files.names(options)).includes("manifest.json")) return;
  const message = "it is also a docker-archive, whose list of images would then be another one";
  throw new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { details: { path: files.location } });
}
