import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type Digest, isDigest, type Lease, type Logger, parseDigest } from "@mote/core";
import type { CacheFolder } from "./cache-folder.js";
import { fileFault, isAbsent } from "./file-fault.js";
import { closedError, type PartFiles } from "./part-files.js";
import { lstatIfThere, namesIn, readPlainFile, removeIfPossible } from "./plain-file.js";
import { liveness, type ProcessIdentity } from "./process-identity.js";

/** A holder in another container is taken for dead when its lease was not renewed for this long. */
const foreignSilenceMs = 60 * 60 * 1000;
/** Often, for a clock that jumped ahead, as after a machine's sleep, makes each lease look silent until it is renewed. */
const renewEveryMs = 60 * 1000;

/** A prune looks every few milliseconds; one that has not for this long is stopped, or its machine is very busy. */
const lateMs = 2000;
/** One in another container that has not for this long is taken for dead: nobody waits for ever. */
const silentPruneMs = 60_000;

/** The count of a prune that removes nothing before its next look. */
const atRest = 0;

/**
 * Leases and prunes meet through files: a lease is a file that digests are appended to, a prune is an empty file whose length it
 * counts up before each look at the leases (a hole takes no space, so that a full disk can be pruned). A lease counts once every prune has counted since it was written, or was at rest: the
 * look that follows sees it. So after `add`, what is there stays there.
 */
export class LeaseFiles {
  readonly #folder: CacheFolder;
  readonly #parts: PartFiles;
  readonly #logger: Logger;
  readonly #seen = new Map<string, { readonly size: number; readonly digests: readonly Digest[] }>();
  readonly #prefix = randomBytes(4).toString("hex");
  #serial = 0;

  constructor(folder: CacheFolder, parts: PartFiles, logger: Logger) {
    this.#folder = folder;
    this.#parts = parts;
    this.#logger = logger;
  }

  /** Every digest that a living holder leases. Files that did not grow since the last look are not read again. */
  current(): Set<Digest> {
    const leased = new Set<Digest>();
    const names = namesIn(this.#folder.leases);
    if (this.#seen.size > 2 * names.length) this.#seen.clear();
    for (const name of names) {
      const path = `${this.#folder.leases}/${name}`;
      const stats = lstatIfThere(path);
      if (stats === undefined || !this.#isHeld(name, stats.mtimeMs)) continue;
      let known = this.#seen.get(name);
      if (known === undefined || known.size !== stats.size) {
        known = { size: stats.size, digests: readDigests(path) };
        this.#seen.set(name, known);
      }
      for (const digest of known.digests) leased.add(digest);
    }
    return leased;
  }

  /** Takes away what dead holders left. */
  sweep(): void {
    for (const folder of [this.#folder.leases, this.#folder.pruning]) {
      for (const name of namesIn(folder)) {
        const stats = lstatIfThere(`${folder}/${name}`);
        if (stats !== undefined && !this.#isHeld(name, stats.mtimeMs)) removeIfPossible(`${folder}/${name}`);
      }
    }
  }

  async lease(digests: Iterable<Digest>, signal: AbortSignal | undefined): Promise<Lease> {
    signal?.throwIfAborted();
    const wanted = [...digests].map((digest) => parseDigest(digest));
    const lease = new FileLease(
      this.#parts,
      () => this.#newPath(this.#folder.leases),
      (until) => this.#acknowledged(until),
      this.#logger,
    );
    try {
      await lease.addAll(wanted, signal);
      return lease;
    } catch (error) {
      await lease.release();
      throw error;
    }
  }

  /** Announces a prune: `look` before removing something, again after a while; `rest` before doing something else for long. */
  beginPrune(): AnnouncedPrune {
    let path = this.#newPath(this.#folder.pruning);
    let fd = openNew(this.#parts, path, "wx");
    const note = (count: number) => {
      try {
        // Somebody in another container took this process for dead, after his machine slept, or the folder was removed.
        if (isUnlinked(fd)) {
          fs.closeSync(fd);
          path = this.#newPath(this.#folder.pruning);
          fd = this.#parts.create(path, "wx");
        }
        fs.ftruncateSync(fd, count);
      } catch (error) {
        throw fileFault(error, "write", path);
      }
    };
    let count = atRest;
    return {
      look: () => {
        note(++count);
        return this.current();
      },
      rest: () => note(atRest),
      end: () => {
        try {
          fs.unlinkSync(path);
        } catch (error) {
          if (!isAbsent(error)) this.#logger.warn("a prune's file stays behind", { path, error });
          truncateIfPossible(fd);
        } finally {
          fs.closeSync(fd);
        }
      },
    };
  }

  /** Returns when every prune at work knows what was written before. */
  async #acknowledged(signal: AbortSignal | undefined): Promise<void> {
    for (const name of namesIn(this.#folder.pruning)) {
      const before = this.#countOf(name);
      const begun = performance.now();
      let isLate = false;
      for (let waitMs = 1; before !== undefined && this.#countOf(name) === before; waitMs = Math.min(2 * waitMs, 32)) {
        await delay(waitMs, undefined, { signal });
        const waitedMs = performance.now() - begun;
        if (waitedMs < lateMs) continue;
        if (this.#isSilent(name, waitedMs)) break;
        if (isLate) continue;
        isLate = true;
        this.#logger.warn("a prune of this cache does not go on: waiting for it", { owner: name });
      }
    }
  }

  /** Undefined where the prune is at rest, over, or dead. */
  #countOf(name: string): number | undefined {
    const stats = lstatIfThere(`${this.#folder.pruning}/${name}`);
    if (stats === undefined || stats.size === atRest || !this.#isHeld(name, stats.mtimeMs)) return undefined;
    return stats.size;
  }

  /** By the clock that wrote the file's time only after a while by one's own: the two may differ. */
  #isSilent(name: string, waitedMs: number): boolean {
    if (liveness(ownerOf(name)) !== "foreign") return false;
    const changedMs = lstatIfThere(`${this.#folder.pruning}/${name}`)?.mtimeMs ?? 0;
    return Math.max(waitedMs, Date.now() - changedMs) >= silentPruneMs;
  }

  #isHeld(name: string, changedMs: number): boolean {
    const owner = ownerOf(name);
    if (owner === this.#parts.owner) return true;
    const verdict = liveness(owner);
    return verdict === "foreign" ? Date.now() - changedMs < foreignSilenceMs : verdict === "alive";
  }

  #newPath(folder: string): string {
    return `${folder}/${this.#parts.owner}.${this.#prefix}${this.#serial++}`;
  }
}

export interface AnnouncedPrune {
  look(): ReadonlySet<Digest>;
  rest(): void;
  end(): void;
}

class FileLease implements Lease {
  readonly #parts: PartFiles;
  readonly #newPath: () => string;
  #path: string;
  #fd: number;
  readonly #digests = new Set<Digest>();
  readonly #acknowledged: (signal: AbortSignal | undefined) => Promise<void>;
  readonly #logger: Logger;
  readonly #renewal: NodeJS.Timeout;
  #released = false;

  constructor(
    parts: PartFiles,
    newPath: () => string,
    acknowledged: (signal: AbortSignal | undefined) => Promise<void>,
    logger: Logger,
  ) {
    this.#parts = parts;
    this.#newPath = newPath;
    this.#path = newPath();
    this.#fd = openNew(parts, this.#path, "ax");
    this.#acknowledged = acknowledged;
    this.#logger = logger;
    this.#renewal = setInterval(() => this.#renew(), renewEveryMs).unref();
  }

  async add(digest: Digest): Promise<void> {
    await this.addAll([digest]);
  }

  async addAll(digests: Iterable<Digest>, signal?: AbortSignal): Promise<void> {
    if (this.#released) throw closedError("the lease");
    const added = [...digests].map((digest) => parseDigest(digest));
    if (added.length === 0) return;
    try {
      this.#makeAgainIfUnlinked();
      this.#append(added);
    } catch (error) {
      throw fileFault(error, "write", this.#path);
    }
    for (const digest of added) this.#digests.add(digest);
    await this.#acknowledged(signal);
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#renewal);
    try {
      fs.unlinkSync(this.#path);
    } catch (error) {
      if (isAbsent(error)) return;
      this.#logger.warn("a lease's file stays behind", { path: this.#path, error });
      truncateIfPossible(this.#fd);
    } finally {
      fs.closeSync(this.#fd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #renew(): void {
    try {
      this.#makeAgainIfUnlinked();
      fs.futimesSync(this.#fd, new Date(), new Date());
    } catch (error) {
      this.#logger.debug("a lease could not be renewed", { path: this.#path, error });
    }
  }

  /** A line's end first: on a full disk an earlier one may have got but its beginning there. */
  #append(digests: Iterable<Digest>): void {
    const lines = Buffer.from([...digests].map((digest) => `\n${digest}\n`).join(""));
    for (let put = 0; put < lines.byteLength; ) put += fs.writeSync(this.#fd, lines, put);
  }

  /** Somebody in another container took this process for dead, after his machine slept, or the folder was removed. */
  #makeAgainIfUnlinked(): void {
    if (!isUnlinked(this.#fd)) return;
    const path = this.#newPath();
    const fd = this.#parts.create(path, "ax");
    fs.closeSync(this.#fd);
    this.#path = path;
    this.#fd = fd;
    this.#append(this.#digests);
  }
}

function isUnlinked(fd: number): boolean {
  return fs.fstatSync(fd).nlink === 0;
}

function ownerOf(name: string): ProcessIdentity {
  return name.split(".")[0] ?? "";
}

function truncateIfPossible(fd: number): void {
  try {
    fs.ftruncateSync(fd, 0);
  } catch {}
}

function openNew(parts: PartFiles, path: string, flags: "ax" | "wx"): number {
  try {
    return parts.create(path, flags);
  } catch (error) {
    throw fileFault(error, "write", path);
  }
}

/** A line that is only half there belongs to an `add` that has not returned. */
function readDigests(path: string): Digest[] {
  try {
    return readPlainFile(path)?.toString("latin1").split("\n").filter(isDigest) ?? [];
  } catch (error) {
    throw fileFault(error, "read", path);
  }
}
