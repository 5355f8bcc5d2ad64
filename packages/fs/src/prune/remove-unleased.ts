import { type Digest, MoteError } from "@mote/core";
import { PruneEvicted, PruneHolds } from "./holds.js";
import type { PruneDependencies } from "./prune.js";

/** Maximum attempts after evictions. */
const mostAttempts = 10;

/** Removes a blob's file if no process leases it. Ignores a missing one. @throws MOTE_IN_USE */
export async function removeUnleased(dependencies: PruneDependencies, digest: Digest): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const holds = new PruneHolds(dependencies, { dryRun: false });
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
    `cannot remove ${digest}: it is in use by ${holder ?? "another process"}; wait for that or end it, then try again`,
    { details: { digest, holder } },
  );
}
