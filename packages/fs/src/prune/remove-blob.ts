import { type Digest, MoteError, type RemoveOptions } from "@mote/core";
import type { PruneDependencies } from "./dependencies.js";
import { PruneEvicted, PruneHolds } from "./holds.js";

/** Maximum attempts after evictions. */
const mostAttempts = 10;

/** Removes a blob and what is recorded about it. Ignores a missing one. @throws MOTE_IN_USE with `unlessLeased` if a process leases it */
export async function removeBlob(
  dependencies: PruneDependencies,
  digest: Digest,
  { unlessLeased }: Pick<RemoveOptions, "unlessLeased">,
): Promise<void> {
  const { store, manifests } = dependencies;
  await (unlessLeased ? removeUnleased(dependencies, digest) : store.remove(digest));
  store.chunkDigests.remove(digest);
  store.linkedNotes.remove(digest);
  manifests.removeOfAbsent(digest);
}

async function removeUnleased(dependencies: PruneDependencies, digest: Digest): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const holds = new PruneHolds(dependencies);
    try {
      await holds.look();
      const hold = holds.current.get(digest);
      if (hold?.reason === "leased") throw inUse(digest, hold.holder);
      const { store } = dependencies;
      const wasThere = await store.remove(digest, holds.removalPath(store.folder.blobPath(digest)));
      if (!wasThere) holds.assertNotEvicted();
      return;
    } catch (error) {
      if (!(error instanceof PruneEvicted) || attempt === mostAttempts) throw error;
    } finally {
      holds.end();
    }
  }
}

function inUse(digest: Digest, holder: string | undefined): MoteError {
  return new MoteError(
    "MOTE_IN_USE",
    `cannot remove ${digest}: it is in use by ${holder ?? "another process"}; wait for it or stop it, then try again`,
    { details: { digest, holder } },
  );
}
