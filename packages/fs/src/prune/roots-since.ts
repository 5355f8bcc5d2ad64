import type { Digest } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { FolderChanges } from "../disk/folder-changes.js";
import { lstatIfThere } from "../disk/plain-file.js";
import type { DigestFiles } from "../folder/digest-files.js";
import { closureOf, notedType, type Root } from "./roots.js";

/**
 * The content added during a prune: images pulled after the blobs were listed. A pull leases its blobs until the manifest has its name:
 * so a look here after each look at the leases is enough.
 */
export class RootsSince {
  readonly #store: BlobStore;
  readonly #manifests: DigestFiles;
  readonly #known: Set<Digest>;
  readonly #below = new Set<Digest>();
  /** Recorded, but not stored yet. */
  readonly #coming = new Set<Digest>();
  readonly #changes: FolderChanges;

  constructor(store: BlobStore, manifests: DigestFiles, known: readonly Root[]) {
    this.#store = store;
    this.#manifests = manifests;
    this.#changes = new FolderChanges(store.folder.manifests);
    this.#known = new Set(known.flatMap(({ digest, isRead }) => (isRead ? [digest] : [])));
  }

  /** Returns the new manifests, and everything that they refer to. */
  async look(): Promise<ReadonlySet<Digest>> {
    if (this.#changes.look()) this.#findNew();
    for (const digest of this.#coming) {
      if (lstatIfThere(this.#store.folder.blobPath(digest)) === undefined) continue;
      const mediaType = await notedType(this.#store, this.#manifests, digest);
      const { digests, isRead } = await closureOf(this.#store, { digest, mediaType });
      if (!isRead) continue;
      this.#coming.delete(digest);
      for (const each of digests) this.#below.add(each);
    }
    return this.#below;
  }

  /** Treats a removed manifest as new if it is stored again. */
  forget(digest: Digest): void {
    this.#known.delete(digest);
    this.#changes.reset();
  }

  #findNew(): void {
    for (const digest of this.#manifests.list()) {
      if (this.#known.has(digest)) continue;
      this.#known.add(digest);
      this.#coming.add(digest);
    }
  }
}
