import { type Digest, isManifestType, type Mote } from "@mote/core";
import { isUnreadable } from "../disk/file-error.js";
import { lstatIfThere } from "../disk/plain-file.js";
import type { SyncGroup } from "../disk/sync-group.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import { DigestFiles } from "../folder/digest-files.js";

/** Records which blobs are manifests, and their types: from before each has its name until it is removed. */
export class ManifestNotes extends DigestFiles {
  readonly #folder: CacheFolder;

  readonly #syncs: SyncGroup;

  constructor(folder: CacheFolder, syncs: SyncGroup) {
    super(folder, folder.manifests);
    this.#folder = folder;
    this.#syncs = syncs;
  }

  /**
   * Records a manifest, which is a root for `prune` even without a tag; ignores other blobs. It is recorded before it has its name, so that
   * after a crash it is still a known manifest, and again afterwards, as a prune may remove the note.
   */
  note({ digest, mediaType }: Pick<Mote, "digest" | "mediaType">): Promise<void> | undefined {
    if (!isManifestType(mediaType)) return undefined;
    if (!this.#folder.refuseNewLinks()) this.#folder.makeFolders();
    return this.add(digest, mediaType) ? this.#syncs.namesUnlessVisible(this.#folder.manifests) : undefined;
  }

  /** Empty if the note cannot be read: then the manifest tells its type. */
  override textOf(digest: Digest): string | undefined {
    try {
      return super.textOf(digest);
    } catch (error) {
      if (isUnreadable(error)) return "";
      throw error;
    }
  }

  /** Removes the note of a missing manifest. Checks for the manifest again afterwards, as a writer that stores it checks for the note. */
  removeOfAbsent(digest: Digest): void {
    if (this.#isThere(digest)) return;
    const text = this.textOf(digest);
    if (text === undefined) return;
    this.remove(digest);
    if (this.#isThere(digest)) this.add(digest, text);
  }

  #isThere(digest: Digest): boolean {
    return lstatIfThere(this.#folder.blobPath(digest)) !== undefined;
  }
}
