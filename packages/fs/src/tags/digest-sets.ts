import { mediaTypes, type Pins, parseDigest, type WaitingMotes } from "@mote/core";
import type { SyncGroup } from "../disk/sync-group.js";
import type { DigestFiles } from "../folder/digest-files.js";
import type { LeaseFiles } from "../processes/lease-files.js";
import type { FolderOpening } from "./folder-opening.js";

/** Content that prune never removes. A pinned manifest keeps everything that it refers to. */
export function filePins(files: DigestFiles, opening: FolderOpening, syncs: SyncGroup, leases: LeaseFiles): Pins {
  return {
    async pin(digest, options) {
      parseDigest(digest);
      await opening.toWrite(options);
      await using _ = await leases.lease([digest], options?.signal);
      if (files.add(digest)) await syncs.namesUnlessVisible(files.folder);
    },
    async unpin(digest, options) {
      parseDigest(digest);
      await opening.toWrite(options);
      files.remove(digest);
    },
    async *pins(options) {
      opening.toRead(options);
      yield* files.list();
    },
  };
}

/** What waits to be written to another tier: a file for each mote, with its media type. */
export function waitingFiles(files: DigestFiles, opening: FolderOpening): WaitingMotes {
  return {
    async add({ digest, mediaType }, options) {
      parseDigest(digest);
      await opening.toWrite(options);
      files.add(digest, mediaType);
    },
    async remove(digest, options) {
      parseDigest(digest);
      await opening.toWrite(options);
      files.remove(digest);
    },
    async *list(options) {
      opening.toRead(options);
      for (const digest of files.list()) {
        yield { digest, mediaType: files.textOf(digest) || mediaTypes.octetStream };
      }
    },
  };
}
