import type { Digest } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { lstatIfThere } from "../disk/plain-file.js";
import type { DigestFiles } from "../folder/digest-files.js";
import { closureOf, notedType, type Root } from "./roots.js";

/** A folder's time of change may hide a later change for this long, as clocks of file systems are coarse; measured by our own clock. */
const coarseMs = 100;
/** Some keep but seconds, or every other one. */
const coarseSecondsMs = 2100;

/**
 * What came during a prune: an image pulled after the blobs were listed. A pull holds its blobs until the manifest has its name, so a look here
 * after each look at the leases is enough.
 */
export class RootsSince {
  readonly #store: BlobStore;
  readonly #manifests: DigestFiles;
  readonly #known: Set<Digest>;
  readonly #below = new Set<Digest>();
  /** Noted, and not there yet. */
  readonly #coming = new Set<Digest>();
  #seen: { readonly timeMs: number; readonly firstMs: number; isSettled: boolean } | undefined;

  constructor(store: BlobStore, manifests: DigestFiles, known: readonly Root[]) {
    this.#store = store;
    this.#manifests = manifests;
    this.#known = new Set(known.flatMap(({ digest, isRead }) => (isRead ? [digest] : [])));
  }

  /** The new manifests, and everything that they refer to. */
  async look(): Promise<ReadonlySet<Digest>> {
    if (this.#mayHaveChanged()) this.#findNew();
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
    const timeMs = lstatIfThere(this.#store.folder.manifests)?.mtimeMs ?? 0;
    const now = performance.now();
    if (timeMs !== this.#seen?.timeMs) this.#seen = { timeMs, firstMs: now, isSettled: false };
    if (this.#seen.isSettled) return false;
    this.#seen.isSettled = now - this.#seen.firstMs > (timeMs % 1000 === 0 ? coarseSecondsMs : coarseMs);
    return true;
  }
}
