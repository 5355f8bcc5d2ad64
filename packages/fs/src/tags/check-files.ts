import fs from "node:fs";
import { type Digest, errorCode, type Freshness, isDigest, type NameCheck, parseRecord } from "@mote/core";
import { isUnreadable } from "../disk/file-error.js";
import { lstatIfThere, namesIn, readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { writeUnsynced } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { FolderOpening } from "./folder-opening.js";

/** A process that has checked a name for this long counts as dead. */
const maxCheckMs = 5_000;

export interface CheckFiles extends Freshness {
  /** Removes the records of manifests that are not stored. */
  clean(isStored: (digest: Digest) => boolean, yieldIfDue: () => Promise<void> | undefined): Promise<void>;
}

/**
 * Records when names were checked: one small file for each name, below `.mote/checks/`. Nothing is synced, and a damaged file counts
 * as a lost record.
 */
export function checkFiles(ingests: IngestFiles, opening: FolderOpening): CheckFiles {
  const folder = ingests.folder.checks;
  const pathOf = (name: string) => `${folder}/${CacheFolder.hashOf(name)}.json`;
  return {
    async find(name, options) {
      opening.toRead(options);
      const record = readRecord(pathOf(name));
      return record?.name === name ? record.check : undefined;
    },

    async record(name, { digest, mediaType, size, checkedMs }, options) {
      await opening.toWrite(options);
      const text = JSON.stringify({ version: 1, name, digest, mediaType, size, checkedMs });
      writeUnsynced(ingests, pathOf(name), `${text}\n`);
    },

    async remove(name, options) {
      await opening.toWrite(options);
      removeIfPossible(pathOf(name));
    },

    async begin(name) {
      const path = pathOf(name).replace(/json$/, "checking");
      const end = () => removeIfPossible(path);
      for (let attempt = 1; ; attempt++) {
        try {
          await opening.toWrite();
          fs.closeSync(ingests.create(path));
          return end;
        } catch (error) {
          // Where nothing can be written, each process checks for itself.
          if (errorCode(error) !== "EEXIST") return () => {};
        }
        if (attempt > 1 || !isOld(path)) return undefined;
        end();
      }
    },

    async clean(isStored, yieldIfDue) {
      for (const file of namesIn(folder)) {
        await yieldIfDue();
        const record = readRecord(`${folder}/${file}`);
        if (record === undefined || !isStored(record.check.digest)) removeIfPossible(`${folder}/${file}`);
      }
    },
  };
}

function readRecord(path: string): { readonly name: string; readonly check: NameCheck } | undefined {
  try {
    const text = readPlainFile(path)?.toString("utf8");
    const { version, name, digest, mediaType, size, checkedMs } = (text && parseRecord(text)) || {};
    if (version !== 1 || typeof name !== "string" || !isDigest(digest) || typeof mediaType !== "string")
      return undefined;
    if (typeof size !== "number" || typeof checkedMs !== "number") return undefined;
    return { name, check: { digest, mediaType, size, checkedMs } };
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

function isOld(path: string): boolean {
  const stats = lstatIfThere(path);
  return stats !== undefined && Math.abs(Date.now() - stats.mtimeMs) >= maxCheckMs;
}
