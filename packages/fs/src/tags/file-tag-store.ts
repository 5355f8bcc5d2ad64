import { silentLogger } from "@mote/core";
import { ManifestNotes } from "../blobs/manifest-notes.js";
import { CooperativeYield } from "../disk/cooperative-yield.js";
import { SyncGroup } from "../disk/sync-group.js";
import { CacheFolder, type SharedWith } from "../folder/cache-folder.js";
import { IngestFiles } from "../processes/ingest-files.js";
import { LeaseFiles } from "../processes/lease-files.js";
import { MemberFiles } from "./member-files.js";
import { FolderOpening, openFolder } from "./open-folder.js";
import { type ReadyFolder, TagFiles } from "./tag-files.js";

/** The tags of a cache folder, without the rest of the cache. The same as `tags` of a `FileCache`. */
export class FileTagStore extends TagFiles {
  constructor(root: string, options: { readonly sharedWith?: SharedWith | undefined } = {}) {
    const folder = new CacheFolder(root, options.sharedWith);
    const ingests = new IngestFiles(folder);
    const leases = new LeaseFiles(folder, ingests, silentLogger);
    const manifests = new ManifestNotes(folder, new SyncGroup("visible", undefined));
    const opening = new FolderOpening(folder, () => openFolder(folder, ingests, { tags: this, manifests }));
    const opened = { toRead: () => opening.toRead(), toWrite: () => opening.toWrite() };
    const ready: ReadyFolder = {
      ...opened,
      noteManifest: (manifest) => manifests.note(manifest),
      hold: (digests, signal) => leases.lease(digests, signal),
      members: new MemberFiles(folder, ingests, { ...opened, recordTags: async () => false }),
    };
    super(folder, ingests, ready, new CooperativeYield(() => folder.refuseLinks()));
  }

  /** Writes `index.json` if a change is not written yet. The store stays usable. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.view.isDirty) await this.view.write();
  }
}
