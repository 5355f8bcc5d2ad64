import type { Digest } from "@mote/core";
import type { BlobStore } from "./blob-store.js";
import type { DigestFiles } from "./digest-files.js";
import { lstatIfThere } from "./plain-file.js";
import { closureOf, notedType, type Root } from "./root-closure.js";

/** A folder's time of change that is younger than this when it is read may hide a later change: clocks of file systems are coarse. */
const coarseMs = 100;

/**
 * What came while a prune was at work: an image that was pulled after the blobs were listed refers to blobs that no root referred to
 * then. Who pulls holds them until the manifest has its name, so to look here after each look at the leases is enough.
 */
export class RootsSince {
  readonly #store: BlobStore;
  readonly #manifests: DigestFiles;
  readonly #known: Set<Digest>;
  readonly #below = new Set<Digest>();
  /** Noted, and not there yet. */
  readonly #coming = new Set<Digest>();
  #seen: number | undefined;

  constructor(store: BlobStore, manifests: DigestFiles, known: readonly Root[]) {
    this.#store = store;
    this.#manifests = manifests;
    this.#known = new Set(known.flatMap(({ digest, isRead }) => (isRead ? [digest] : [])));
  }

  /** The new manifests, and everything that they refer to. */
  async look(): Promise<ReadonlySet<Digest>> {
    if (this.#mayHaveChanged()) this.#findNew();
    for (const digest of this.#coming) {
      const mediaType = await notedType(this.#store, this.#manifests, digest);
      const { closure, isRead } = await closureOf(this.#store, digest, mediaType);
      if (!isRead) continue;
      this.#coming.delete(digest);
      for (const each of closure) this.#below.add(each);
    }
    return this.#below;
  }

  /** One that is gone is new when it comes again. */
  forget(digest: Digest): void {
    this.#known.delete(digest);
    this.#seen = undefined;
  }

  #findNew(): void {
    for (const digest of this.#manifests.list()) {
      if (this.#known.has(digest)) continue;
      this.#known.add(digest);
      this.#coming.add(digest);
    }
  }

  #mayHaveChanged(): boolean {
    const time = lstatIfThere(this.#store.folder.manifests)?.mtimeMs ?? 0;
    const isSame = time === this.#seen;
    this.#seen = Math.abs(Date.now() - time) > coarseMs ? time : undefined;
    return !isSame;
  }
}
