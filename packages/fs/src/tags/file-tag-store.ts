import { isManifestType, silentLogger } from "@mote/core";
import { ManifestNotes } from "../blobs/manifest-notes.js";
import { CooperativeYield } from "../disk/cooperative-yield.js";
import { CacheFolder, type SharedWith } from "../folder/cache-folder.js";
import { openFolder } from "../folder/open-folder.js";
import { IngestFiles } from "../processes/ingest-files.js";
import { LeaseFiles } from "../processes/lease-files.js";
import { MemberFiles } from "./member-files.js";
import { type ReadyFolder, TagFiles } from "./tag-files.js";

/** The tags of a cache folder, for who wants nothing else of it. A `FileCache` has the same ones as `tags`. */
export class FileTagStore extends TagFiles {
  constructor(root: string, options: { readonly sharedWith?: SharedWith | undefined } = {}) {
    const folder = new CacheFolder(root, options.sharedWith);
    const parts = new IngestFiles(folder);
    const leases = new LeaseFiles(folder, parts, silentLogger);
    const manifests = new ManifestNotes(folder);
    let opening: Promise<void> | undefined;
    const ready: ReadyFolder = {
      noteManifest: async ({ digest, mediaType }) => {
        if (isManifestType(mediaType)) manifests.add(digest, mediaType);
      },
      hold: (digests, signal) => leases.lease(digests, signal),
      members: new MemberFiles(folder, parts, { toRead: () => folder.refuseLinks(), toWrite: () => ready.toWrite() }),
      toRead: () => folder.refuseLinks(),
      toWrite: () => {
        if (!folder.refuseLinks()) opening = undefined;
        opening ??= openFolder(folder, parts, { tags: this, manifests }).catch((error: unknown) => {
          opening = undefined;
          throw error;
        });
        return opening;
      },
    };
    super(folder, parts, ready, new CooperativeYield(() => folder.refuseLinks()));
  }
}
