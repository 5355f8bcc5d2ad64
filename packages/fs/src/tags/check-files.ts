import fs from "node:fs";
import {
  type Cancellable,
  type Digest,
  digestBytes,
  digestEncoded,
  errorCode,
  type Freshness,
  isDigest,
  type NameCheck,
  parseRecord,
} from "@mote/core";
import { isUnreadable } from "../disk/file-error.js";
import { lstatIfThere, namesIn, readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import { writeUnsynced } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { ReadyMembers } from "./member-files.js";

/** A process that has checked a name for this long counts as dead. */
const maxCheckMs = 5_000;

/**
 * Records when names were checked: one small file for each name, below `.mote/checks/`. Nothing is synced, and a damaged file counts
 * as a lost record.
 */
export class CheckFiles implements Freshness {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #ready: ReadyMembers;

  constructor(folder: CacheFolder, ingests: IngestFiles, ready: ReadyMembers) {
    this.#folder = folder;
    this.#ingests = ingests;
    this.#ready = ready;
  }

  async find(name: string, options?: Cancellable): Promise<NameCheck | undefined> {
    options?.signal?.throwIfAborted();
    this.#ready.toRead();
    const record = readRecord(this.#pathOf(name));
    return record?.name === name ? record.check : undefined;
  }

  async record(name: string, check: NameCheck, options?: Cancellable): Promise<void> {
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    const { digest, mediaType, size, checkedMs } = check;
    const text = JSON.stringify({ version: 1, name, digest, mediaType, size, checkedMs });
    writeUnsynced(this.#ingests, this.#pathOf(name), `${text}\n`);
  }

  async remove(name: string, options?: Cancellable): Promise<void> {
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    removeIfPossible(this.#pathOf(name));
  }

  async begin(name: string): Promise<(() => void) | undefined> {
    const path = this.#pathOf(name).replace(/json$/, "checking");
    const end = () => removeIfPossible(path);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#ready.toWrite();
        fs.closeSync(this.#ingests.create(path));
        return end;
      } catch (error) {
        // Where nothing can be written, each process checks for itself.
        if (errorCode(error) !== "EEXIST") return () => {};
      }
      if (attempt > 1 || !isOld(path)) return undefined;
      end();
    }
  }

  /** Removes the records of manifests that are not stored. */
  async clean(isStored: (digest: Digest) => boolean, yieldIfDue: () => Promise<void> | undefined): Promise<void> {
    for (const file of namesIn(this.#folder.checks)) {
      await yieldIfDue();
      const path = `${this.#folder.checks}/${file}`;
      const record = readRecord(path);
      if (record === undefined || !isStored(record.check.digest)) removeIfPossible(path);
    }
  }

  #pathOf(name: string): string {
    return `${this.#folder.checks}/${digestEncoded(digestBytes(Buffer.from(name)))}.json`;
  }
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
