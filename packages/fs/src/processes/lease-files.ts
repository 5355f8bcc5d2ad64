import { randomBytes } from "node:crypto";
import fs from "node:fs";
import {
  type Cancellable,
  type Digest,
  isDigest,
  type Lease,
  type Logger,
  type ProcessIdentity,
  parseDigest,
} from "@mote/core";
import { isAhead, renewTimes } from "../disk/file-times.js";
import { lstatIfThere, namesIn, openPlainFile, removeIfPossible } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import { closedError, type IngestFiles } from "./ingest-files.js";
import { LeaseJournal } from "./lease-journal.js";
import { livenessOf, ownerOf } from "./process-identity.js";
import { PruneAnnouncement, RunningPrunes } from "./prune-announcement.js";

/** A holder in another container is considered dead if its lease was not renewed for this long. */
const unknownSilenceMs = 60 * 60 * 1000;
/** Maximum attempts to read all leases: files may disappear meanwhile. */
const listings = 20;

/** Bytes of a lease file per read. A file without a line break in these is not a lease file. */
const longestRead = 1024 * 1024;

/** The holder of each digest. */
export type Holders = ReadonlyMap<Digest, ProcessIdentity>;

interface KnownFile {
  /** Offset after the last complete line that was read. */
  end: number;
  readonly digests: Set<Digest>;
}

/**
 * Leases and prunes coordinate through files: a lease is lines in a file (see `LeaseJournal`), and a prune increments a counter (see
 * `PruneAnnouncement`) before it reads them. A lease is effective once every prune has incremented its counter since, or is at rest.
 */
export class LeaseFiles {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #logger: Logger;
  readonly #prunes: RunningPrunes;
  readonly #journal: LeaseJournal;
  readonly #known = new Map<string, KnownFile>();
  readonly #prefix = randomBytes(4).toString("hex");
  #serial = 0;

  constructor(ingests: IngestFiles, logger: Logger) {
    this.#folder = ingests.folder;
    this.#ingests = ingests;
    this.#logger = logger;
    this.#prunes = new RunningPrunes(this.#folder, logger);
    const newPath = () => `${this.#folder.leases}/${this.#newName()}`;
    const acknowledged = () => this.#prunes.acknowledged({ ref: false });
    this.#journal = new LeaseJournal({ ingests, newPath, acknowledged, logger });
  }

  /** Returns all digests leased by live holders. `evictSilent: false` keeps the files of silent holders. */
  current({ evictSilent = true }: { readonly evictSilent?: boolean } = {}): Holders {
    for (let listing = 1; ; listing++) {
      const holders = new Map<Digest, ProcessIdentity>();
      // A file removed after it was listed may have been replaced by one that was not listed.
      if (this.#gather(holders, evictSilent) || listing === listings) return holders;
    }
  }

  /** Returns false if a file was removed meanwhile. */
  #gather(holders: Map<Digest, ProcessIdentity>, evictSilent: boolean): boolean {
    const names = namesIn(this.#folder.leases);
    if (this.#known.size > 2 * names.length) this.#known.clear();
    for (const digest of this.#journal.digests()) holders.set(digest, this.#ingests.owner);
    for (const name of names) {
      const path = `${this.#folder.leases}/${name}`;
      if (this.#journal.owns(path)) continue;
      const stats = lstatIfThere(path);
      if (stats === undefined) return false;
      if (!this.#isHeld(path, stats)) {
        if (evictSilent) removeIfPossible(path);
        continue;
      }
      const digests = this.#read(name, stats.size);
      if (digests === undefined) return false;
      for (const digest of digests) holders.set(digest, ownerOf(name));
    }
    return true;
  }

  /** Removes the leases and announcements of processes that have ended or are silent. */
  cleanUp(): void {
    for (const folder of [this.#folder.leases, this.#folder.pruning]) {
      for (const name of namesIn(folder)) {
        const path = `${folder}/${name}`;
        const stats = lstatIfThere(path);
        if (stats === undefined || this.#isHeld(path, stats)) continue;
        const mayContinue = folder === this.#folder.pruning && livenessOf(ownerOf(name)) === "unknown";
        if (mayContinue) this.#prunes.evict(name);
        else removeIfPossible(path);
      }
    }
  }

  async lease(digests: Iterable<Digest>, signal: AbortSignal | undefined): Promise<Lease> {
    signal?.throwIfAborted();
    const lease = leaseIn(this.#journal, (until) => this.#prunes.acknowledged({ signal: until }));
    try {
      await lease.addAll(digests, signal);
      return lease;
    } catch (error) {
      await lease.release();
      throw error;
    }
  }

  /** Announces a prune. Call `look` before each batch of removals, and `rest` before any long work other than removing. */
  announcePrune(): PruneAnnouncement {
    return new PruneAnnouncement(this.#ingests, this.#logger, this.#newName());
  }

  /** Reads the lines added to an append-only file since the last read. Undefined if the file does not exist. */
  #read(name: string, size: number): ReadonlySet<Digest> | undefined {
    const path = `${this.#folder.leases}/${name}`;
    let known = this.#known.get(name);
    if (known === undefined || known.end > size) known = { end: 0, digests: new Set() };
    while (known.end < size) {
      const bytes = readFrom(path, known.end);
      if (bytes === undefined) return lstatIfThere(path) === undefined ? undefined : new Set();
      const end = bytes.lastIndexOf("\n") + 1;
      if (end === 0) break;
      apply(bytes.toString("latin1", 0, end), known.digests);
      known.end += end;
    }
    this.#known.set(name, known);
    return known.digests;
  }

  #isHeld(path: string, { mtimeMs }: fs.Stats): boolean {
    const owner = ownerOf(path.slice(path.lastIndexOf("/") + 1));
    if (owner === this.#ingests.owner) return true;
    const verdict = livenessOf(owner);
    if (verdict !== "unknown") return verdict === "alive";
    // The clock was ahead: the lease counts as renewed now.
    if (isAhead(mtimeMs) && renewTimes(path)) return true;
    return Math.abs(Date.now() - mtimeMs) < unknownSilenceMs;
  }

  #newName(): string {
    return `${this.#ingests.owner}.${this.#prefix}${this.#serial++}`;
  }
}

function leaseIn(journal: LeaseJournal, acknowledged: (signal?: AbortSignal) => Promise<void>) {
  const held = new Set<Digest>();
  let losses = journal.losses;
  let isReleased = false;
  const assertHeld = () => {
    if (isReleased) throw closedError("the lease");
  };
  const release = async () => {
    if (isReleased) return;
    isReleased = true;
    journal.release(held);
  };
  const addAll = async (digests: Iterable<Digest>, signal?: AbortSignal) => {
    assertHeld();
    const wanted = new Set([...digests].map((digest) => parseDigest(digest)));
    if (wanted.size === 0) return;
    const added = [...wanted].filter((digest) => !held.has(digest));
    journal.hold(added);
    // A lease that is lost before it holds anything is not reported.
    if (held.size === 0) losses = journal.losses;
    for (const digest of added) held.add(digest);
    await acknowledged(signal);
  };
  return {
    addAll,
    add: (digest: Digest) => addAll([digest]),
    async renew({ signal }: Cancellable = {}) {
      assertHeld();
      journal.renew();
      await acknowledged(signal);
      const wasHeld = losses === journal.losses;
      losses = journal.losses;
      return wasHeld;
    },
    release,
    [Symbol.asyncDispose]: release,
  };
}

/** Skips an incomplete line: its `add` has not returned. */
function apply(lines: string, digests: Set<Digest>): void {
  for (const line of lines.split("\n")) {
    const struck = line.startsWith("-") ? line.slice(1) : undefined;
    if (isDigest(line)) digests.add(line);
    else if (struck !== undefined && isDigest(struck)) digests.delete(struck);
  }
}

function readFrom(path: string, start: number): Buffer | undefined {
  return openPlainFile(path, (fd, { size }) => {
    const bytes = Buffer.alloc(Math.min(Math.max(0, size - start), longestRead));
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, bytes.byteLength, start));
  });
}
