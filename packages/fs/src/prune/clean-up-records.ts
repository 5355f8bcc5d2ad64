import { type Digest, MoteError } from "@mote/core";
import { lstatIfThere } from "../disk/plain-file.js";
import type { StoredTag } from "../tags/tag-file.js";
import type { PruneDependencies } from "./dependencies.js";

/** Removes the notes of missing manifests. A leased manifest may be about to be stored. */
export async function cleanUpNotes({ store, manifests, leases }: PruneDependencies): Promise<void> {
  let held = leases.current();
  for (const digest of manifests.list()) {
    const turn = store.yields.yieldIfDue();
    if (turn !== undefined) {
      await turn;
      held = leases.current();
    }
    if (!held.has(digest)) manifests.removeOfAbsent(digest);
  }
}

/** Removes the records of removed names and manifests. Best effort: the next prune removes the rest. */
export async function cleanUpRecords(dependencies: PruneDependencies, untagged: readonly StoredTag[]): Promise<void> {
  const { tags, members, checks, store, leases } = dependencies;
  try {
    await tags.forgetMembers(untagged);
    const held = leases.current();
    const isThere = (digest: Digest) => held.has(digest) || lstatIfThere(store.folder.blobPath(digest)) !== undefined;
    await members.clean(isThere, () => store.yields.yieldIfDue());
    await checks.clean(isThere, () => store.yields.yieldIfDue());
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    store.logger.warn("cannot clean up the records of repositories and tags", { error });
  }
}
