import fs from "node:fs";
import { relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Logger, MoteError } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { isAhead } from "../disk/file-times.js";
import { lstatIfThere, namesIn, removeIfThere, removeOpenFile } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import type { IngestFiles } from "./ingest-files.js";
import { describeProcess, livenessOf, ownerOf } from "./process-identity.js";

/** The count of a prune that removes nothing before its next look. */
const atRest = 0;
/** A prune looks every few milliseconds. After this time without a look it is suspended, or its machine is very busy. */
const lateMs = 2000;
/** Maximum total wait for all prunes. A prune that has not looked at the leases by then is evicted. */
const longestWaitMs = 10_000;
/** A late prune in another container is considered dead if its file was not modified for this long. */
const silentMs = 60_000;

/**
 * This process's prune, as others see it: a file whose length is incremented before each look at the leases, and a symbolic link to the
 * cache's folder, through which the prune removes. A process that evicts the prune removes both, so that a suspended prune finds no path.
 */
export class PruneAnnouncement {
  readonly #folder: CacheFolder;
  readonly #logger: Logger;
  readonly #path: string;
  readonly #fd: number;
  readonly #gate: string | undefined;
  #count = atRest;

  constructor(ingests: IngestFiles, logger: Logger, name: string) {
    this.#folder = ingests.folder;
    this.#logger = logger;
    this.#path = `${this.#folder.pruning}/${name}`;
    this.#gate = this.#makeGate(name);
    try {
      this.#fd = ingests.create(this.#path);
    } catch (error) {
      this.#removeGate();
      throw fileError(error, "write", this.#path);
    }
  }

  /** Announces a look at the leases, which sees all that were written before. */
  look(): void {
    this.#write(++this.#count);
  }

  /** Announces that nothing is removed before the next look. */
  rest(): void {
    this.#write(atRest);
  }

  /** Returns whether another process evicted this prune: then nothing chosen before may be removed. */
  isEvicted(): boolean {
    if (this.#gate !== undefined && lstatIfThere(this.#gate) === undefined) return true;
    try {
      return fs.fstatSync(this.#fd).nlink === 0;
    } catch (error) {
      throw fileError(error, "read", this.#path);
    }
  }

  /** Returns the path by which to remove a file of the cache, invalid once this prune is evicted. Undefined without a link. */
  removalPath(path: string): string | undefined {
    return this.#gate && `${this.#gate}${path.slice(this.#folder.root.length)}`;
  }

  end(): void {
    this.#removeGate();
    removeOpenFile({ path: this.#path, fd: this.#fd }, (error) => this.#warnOf(this.#path, error));
  }

  /** Returns undefined if symbolic links are not supported: then only `isEvicted` protects. */
  #makeGate(name: string): string | undefined {
    const path = gatePath(this.#folder, name);
    try {
      fs.symlinkSync(relative(this.#folder.ingest, this.#folder.root), path);
      return path;
    } catch (error) {
      this.#logger.debug("a prune does without a symbolic link", { path, error });
      return undefined;
    }
  }

  #removeGate(): void {
    if (this.#gate === undefined) return;
    try {
      removeIfThere(this.#gate);
    } catch (error) {
      this.#warnOf(this.#gate, error);
    }
  }

  #warnOf(path: string, error: unknown): void {
    this.#logger.warn("cannot remove the file of a prune", { path, error });
  }

  #write(count: number): void {
    try {
      fs.ftruncateSync(this.#fd, count);
    } catch (error) {
      throw fileError(error, "write", this.#path);
    }
  }
}

/** The prunes of all processes, as leases see them. */
export class RunningPrunes {
  readonly #folder: CacheFolder;
  readonly #logger: Logger;

  constructor(folder: CacheFolder, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /**
   * Resolves when every running prune knows what was written before, or is evicted, after 10 seconds at the latest.
   * @param options `ref: false` does not keep the process alive @throws MOTE_TIMEOUT if a prune neither continues nor can be evicted
   */
  async acknowledged(
    options: { readonly signal?: AbortSignal | undefined; readonly ref?: boolean } = {},
  ): Promise<void> {
    const { signal, ref = true } = options;
    const running = namesIn(this.#folder.pruning).map((name) => [name, this.#countOf(name)] as const);
    const waiting = new Map(running.filter(([, count]) => count !== undefined));
    const begunMs = performance.now();
    const warned = new Set<string>();
    for (let waitMs = 1; waiting.size > 0; waitMs = Math.min(2 * waitMs, 32)) {
      await delay(waitMs, undefined, { signal, ref });
      const waitedMs = performance.now() - begunMs;
      for (const [name, before] of waiting) {
        if (this.#countOf(name) !== before) waiting.delete(name);
        else if (waitedMs >= longestWaitMs || (waitedMs >= lateMs && this.#isSilent(name))) {
          this.evict(name);
          waiting.delete(name);
        } else if (waitedMs >= lateMs && !warned.has(name)) {
          warned.add(name);
          this.#logger.warn(
            `waiting for a prune that makes no progress (${describeProcess(ownerOf(name))}); ${advice(name)}`,
          );
        }
      }
    }
  }

  /** Revokes a prune's right to remove anything before it has looked again. */
  evict(name: string): void {
    const owner = describeProcess(ownerOf(name));
    try {
      // In this order: while the file exists, others know what to wait for.
      removeIfThere(gatePath(this.#folder, name));
      removeIfThere(`${this.#folder.pruning}/${name}`);
    } catch (cause) {
      throw new MoteError(
        "MOTE_TIMEOUT",
        `cannot continue without the stopped prune by ${owner}: its file cannot be removed; ${advice(name)}`,
        { cause, details: { process: owner, path: `${this.#folder.pruning}/${name}` } },
      );
    }
    this.#logger.warn(`continuing without the prune by ${owner}, which will start over`);
  }

  /** Returns undefined if the prune is at rest, over, or dead. */
  #countOf(name: string): number | undefined {
    const stats = lstatIfThere(`${this.#folder.pruning}/${name}`);
    if (stats === undefined || stats.size === atRest || livenessOf(ownerOf(name)) === "dead") return undefined;
    return stats.size;
  }

  #isSilent(name: string): boolean {
    if (livenessOf(ownerOf(name)) !== "unknown") return false;
    const changedMs = lstatIfThere(`${this.#folder.pruning}/${name}`)?.mtimeMs ?? 0;
    return isAhead(changedMs) || Date.now() - changedMs >= silentMs;
  }
}

/** Named as a temporary file, so that every release removes those of dead processes. */
function gatePath(folder: CacheFolder, name: string): string {
  return `${folder.ingest}/gate.${name}.tmp`;
}

function advice(name: string): string {
  const pid = ownerOf(name).split("-")[0];
  return livenessOf(ownerOf(name)) === "unknown"
    ? "resume or end it"
    : `resume it with \`kill -CONT ${pid}\`, or end it`;
}
