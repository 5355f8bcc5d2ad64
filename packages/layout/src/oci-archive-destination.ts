import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Cancellable, ContentDestination, Descriptor } from "@mote/core";
import { indexPath, markerPath } from "./layout-paths.js";
import { StagedArchive } from "./staged-archive.js";
import type { TarContent } from "./tar-file.js";

/**
 * A tar of an OCI image layout as a place that content goes to. It is there, whole, after `commit`, over one that was there
 * before; until then the content is in a hidden folder beside it, which is gone after `commit` or dispose. The same content in
 * the same order of tags gives the same bytes.
 */
export class OciArchiveDestination extends StagedArchive implements ContentDestination {
  constructor(file: string) {
    super(file, "oci-archive");
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options?: Cancellable): Promise<void> {
    await this.staging.layout.manifest(descriptor, bytes, options);
  }

  /** @throws MOTE_NOT_FOUND where the manifest was not put here · MOTE_INVALID_NAME */
  async tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void> {
    await this.staging.layout.tag(name, descriptor, options);
  }

  /** @throws MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  async commit(options: Cancellable = {}): Promise<void> {
    const { dir } = this.staging;
    if (dir !== undefined) await this.staging.pack(await layoutFiles(dir), options);
  }
}

/** What tells what it is comes first. */
async function layoutFiles(dir: string): Promise<ReadonlyMap<string, TarContent>> {
  const files = new Map<string, TarContent>([
    ["oci-layout", { path: markerPath(dir) }],
    ["index.json", { path: indexPath(dir) }],
  ]);
  for (const algorithm of (await readdir(join(dir, "blobs"))).sort()) {
    for (const encoded of (await readdir(join(dir, "blobs", algorithm))).sort()) {
      files.set(`blobs/${algorithm}/${encoded}`, { path: join(dir, "blobs", algorithm, encoded) });
    }
  }
  return files;
}
