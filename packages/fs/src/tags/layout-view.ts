import fs from "node:fs";
import { hasCode, isAbsent } from "@mote/core";
import type { CooperativeYield } from "../disk/cooperative-yield.js";
import { syncData } from "../disk/file-calls.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import {
  lstatIfThere,
  openPlainFile,
  readPlainFile,
  readWhole,
  removeIfPossible,
  removeIfThere,
} from "../disk/plain-file.js";
import { sharedRuns } from "../disk/shared-runs.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import { writeUnsynced } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import { readTagIfReadable, readTags, tagFileOf } from "./tag-file.js";
import type { TagMembers } from "./tag-members.js";
import { parseView, type ViewEntries, viewChunks, viewEntry } from "./view-text.js";

/** The version of `.mote/view.json`. */
const formatVersion = 1;
/** Changes are collected for this long, or for a multiple of the last write's duration, whichever is longer. */
const gatherMs = 500;
const gatherTimes = 10;
/** Maximum size of a view that is written with each change: about two hundred names. */
const smallBytes = 64 * 1024;
/** Maximum number of restarts because other processes have written meanwhile. */
const mostAttempts = 100;

/** Changes that are written together. */
interface Changes {
  /** A file that remains if the process is killed, so that the next process generates the view from all tags. */
  readonly mark: string | undefined;
  readonly names: Set<string>;
  /** Number of changes in progress. */
  running: number;
}

/** `index.json` as it was read, and whether mote wrote it last. */
interface Seen {
  /** Undefined if it does not exist. */
  readonly stamp: string | undefined;
  /** The text of `.mote/view.json`. */
  readonly record: string | undefined;
  readonly isOwn: boolean;
}

/**
 * Writes the layout's `index.json`, a view of the tags. Changes are collected and applied to the existing view; it is generated from all
 * tags if it does not exist, or was changed by another program or by a process that was killed.
 *
 * `.mote/view.json` identifies the view that was written last. Processes do not wait for each other: if another process has written
 * meanwhile, it starts over with that view. All names in an identified view are recorded in `.mote/names` and `.mote/repositories`.
 */
export class LayoutView {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #yields: CooperativeYield;
  readonly #members: TagMembers;
  readonly #changes = new Set<Changes>();
  #gathering: Changes | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = 0;
  /** Writes the view, unless it shows all changes. */
  readonly write = sharedRuns(() => this.#writeTimed());

  constructor(ingests: IngestFiles, yields: CooperativeYield, members: TagMembers) {
    this.#folder = ingests.folder;
    this.#ingests = ingests;
    this.#yields = yields;
    this.#members = members;
  }

  /** Returns whether a change is not written yet. */
  get isDirty(): boolean {
    return this.#changes.size > 0;
  }

  /** Call it before a tag is changed, and dispose of the result afterwards. The view is written later, or with `writeIfSmall`. */
  change(name: string): Disposable {
    this.#gathering ??= this.#begin();
    const changes = this.#gathering;
    changes.running++;
    return {
      [Symbol.dispose]: () => {
        changes.names.add(name);
        changes.running--;
        this.#schedule();
      },
    };
  }

  async #writeTimed(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const begunMs = performance.now();
    await this.#write().finally(() => {
      this.#lastMs = performance.now() - begunMs;
    });
  }

  /** Writes a small view at once, so that other programs see the change. After an error the changes are written later. */
  async writeIfSmall(): Promise<void> {
    const size = lstatIfThere(this.#folder.indexFile)?.size ?? 0;
    if (size <= smallBytes) await this.write().catch(() => {});
  }

  /** As `write`, but on a full disk the view is written later, when there is space. */
  async writeIfSpace(): Promise<void> {
    try {
      await this.write();
    } catch (error) {
      if (!hasCode(error, "MOTE_NO_SPACE")) throw error;
    }
  }

  /** Returns the names in the view, which may differ from those of the tags. Empty if mote did not write it. */
  async names(): Promise<string[]> {
    const entries = await this.#entriesOf(this.#look());
    return entries === undefined ? [] : [...entries.keys()];
  }

  #begin(): Changes {
    const path = this.#ingests.newPath("file", "view");
    const changes: Changes = { mark: this.#tryToMark(path), names: new Set(), running: 0 };
    this.#changes.add(changes);
    return changes;
  }

  /** On a full disk, invalidates the view's identification instead, which takes no space. */
  #tryToMark(path: string): string | undefined {
    try {
      fs.closeSync(this.#ingests.create(path));
      return path;
    } catch (cause) {
      const error = fileError(cause, "write", path);
      if (!hasCode(error, "MOTE_NO_SPACE")) throw error;
      removeIfThere(this.#folder.viewFile);
      return undefined;
    }
  }

  #schedule(): void {
    // After an error the changes stay, and are written with the next one, or on disposal.
    this.#timer ??= setTimeout(() => this.write().catch(() => {}), Math.max(gatherMs, gatherTimes * this.#lastMs));
  }

  async #write(): Promise<void> {
    let isLost = false;
    for (let attempt = 1; attempt <= mostAttempts; attempt++) {
      this.#gathering = undefined;
      const ended = [...this.#changes].filter(({ running }) => running === 0);
      const names = new Set([...this.#changes].flatMap((changes) => [...changes.names]));
      // Listed before the tags are read.
      const orphans = this.#ingests.list().filter((file) => file.kind === "view" && !this.#ingests.isAlive(file));
      const seen = this.#look();
      const isTrue = seen.isOwn && orphans.length === 0 && !isLost && this.#members.isRecorded();
      if (!isTrue || names.size > 0) {
        const made = (isTrue ? await this.#applied(names, seen) : undefined) ?? (await this.#rebuilt());
        const outcome = await this.#replace(made, seen);
        isLost ||= outcome === "lost";
        if (outcome !== "written") continue;
      }
      for (const changes of ended) this.#changes.delete(changes);
      for (const { mark } of ended) if (mark !== undefined) removeIfPossible(mark);
      for (const { path } of orphans) removeIfPossible(path);
      break;
    }
    if (this.#changes.size > 0) this.#schedule();
  }

  async #applied(names: ReadonlySet<string>, seen: Seen) {
    const entries = await this.#entriesOf(seen);
    if (entries === undefined) return undefined;
    for (const name of names) {
      await this.#yields.yieldIfDue();
      const tag = readTagIfReadable(`${this.#folder.tags}/${tagFileOf(name)}`);
      if (tag === undefined) entries.delete(name);
      else entries.set(name, viewEntry(tag));
    }
    return { entries, isComplete: true };
  }

  async #rebuilt() {
    const { tags, damaged } = await readTags(this.#folder, this.#yields);
    const isRecorded = await this.#members.recordAll(tags, this.#yields);
    const entries: ViewEntries = new Map();
    for (const tag of tags) {
      await this.#yields.yieldIfDue();
      entries.set(tag.name, viewEntry(tag));
    }
    // A tag that cannot be read now may be readable later: then the view is generated again.
    return { entries, isComplete: isRecorded && damaged === undefined };
  }

  /** `conflict`: another process has written meanwhile. `lost`: its view was overwritten. */
  async #replace(
    { entries, isComplete }: { readonly entries: ViewEntries; readonly isComplete: boolean },
    seen: Seen,
  ): Promise<"written" | "conflict" | "lost"> {
    const temporary = this.#ingests.newPath("file", "tmp");
    const { indexFile, viewFile } = this.#folder;
    try {
      const stamp = await this.#writeTo(temporary, entries);
      const now = this.#look();
      if (now.stamp !== seen.stamp || now.record !== seen.record) {
        removeIfPossible(temporary);
        return "conflict";
      }
      fs.renameSync(temporary, indexFile);
      // Another process may have written between the check and the rename. If it checks after the rename, it finds that itself.
      if (this.#readRecord() !== seen.record) return "lost";
      if (isComplete) writeUnsynced(this.#ingests, viewFile, recordOf(stamp));
      else removeIfThere(viewFile);
      return this.#stamp() === stamp ? "written" : "conflict";
    } catch (error) {
      removeIfPossible(temporary);
      throw fileError(error, "write", indexFile);
    }
  }

  async #writeTo(path: string, entries: ViewEntries): Promise<string> {
    const fd = this.#ingests.create(path);
    try {
      for (const chunk of viewChunks(entries)) {
        fs.writeFileSync(fd, chunk);
        await this.#yields.yieldIfDue();
      }
      // Other programs read it: after a power failure they see the old text or the new one.
      await syncData(fd);
      return stampOf(fs.fstatSync(fd, { bigint: true }));
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Returns undefined if mote did not write the view last. */
  async #entriesOf({ stamp, isOwn }: Seen): Promise<ViewEntries | undefined> {
    if (!isOwn) return undefined;
    let text: string | undefined;
    try {
      text = openPlainFile(this.#folder.indexFile, (fd, stats) =>
        stampOf(fs.fstatSync(fd, { bigint: true })) === stamp ? readWhole(fd, stats).toString("utf8") : undefined,
      );
    } catch (error) {
      if (isUnreadable(error)) return undefined;
      throw error;
    }
    if (text === undefined) return undefined;
    const entries: ViewEntries = new Map();
    for (const entry of parseView(text)) {
      await this.#yields.yieldIfDue();
      if (entry === undefined) return undefined;
      entries.set(...entry);
    }
    return entries;
  }

  #look(): Seen {
    const record = this.#readRecord();
    const stamp = this.#stamp();
    return { stamp, record, isOwn: stamp !== undefined && record === recordOf(stamp) };
  }

  #stamp(): string | undefined {
    const { indexFile } = this.#folder;
    try {
      const stats = fs.lstatSync(indexFile, { bigint: true, throwIfNoEntry: false });
      return stats?.isFile() ? stampOf(stats) : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw fileError(error, "read", indexFile);
    }
  }

  #readRecord(): string | undefined {
    try {
      return readPlainFile(this.#folder.viewFile)?.toString("utf8");
    } catch (error) {
      if (isUnreadable(error)) return undefined;
      throw error;
    }
  }
}

/** Another program that changes a file changes one of these. */
function stampOf({ ino, size, mtimeNs }: fs.BigIntStats): string {
  return `${ino}-${size}-${mtimeNs}`;
}

/** Any other version or text makes mote generate the view again. */
function recordOf(stamp: string): string {
  return `${JSON.stringify({ format: "mote-view", version: formatVersion, index: stamp })}\n`;
}
