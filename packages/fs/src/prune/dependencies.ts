import type { BlobStore } from "../blobs/blob-store.js";
import type { ManifestNotes } from "../blobs/manifest-notes.js";
import type { Quarantine } from "../blobs/quarantine.js";
import type { DigestFiles } from "../folder/digest-files.js";
import type { LeaseFiles } from "../processes/lease-files.js";
import type { CheckFiles } from "../tags/check-files.js";
import type { MemberFiles } from "../tags/member-files.js";
import type { TagFiles } from "../tags/tag-files.js";
import type { Orphans } from "./orphans.js";

/** The parts of a cache that a prune reads and removes. */
export interface PruneDependencies {
  readonly store: BlobStore;
  readonly tags: TagFiles;
  readonly members: MemberFiles;
  readonly checks: CheckFiles;
  readonly manifests: ManifestNotes;
  readonly pins: DigestFiles;
  /** What waits to be written to another tier. */
  readonly waiting: DigestFiles;
  readonly leases: LeaseFiles;
  readonly orphans: Orphans;
  readonly quarantine: Quarantine;
}
