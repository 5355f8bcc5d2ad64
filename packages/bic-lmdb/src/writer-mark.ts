import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MoteError } from "@mote/core";
import type { NativeEnv } from "./reader-slot.js";
import { errorCode } from "./storage-error.js";
import { CommittedTransaction } from "./transaction-ids.js";

const pollMs = 2;
// Milliseconds after which the process of an unchanged mark is looked up.
const suspectMs = 100;

/**
 * Shows whether a process is in a write transaction. LMDB's mutex has no timeout, and the process that has locked it may be
 * stopped. Therefore each transaction writes a mark to a file next to the database, which other processes read before they lock the
 * mutex. The mark is a hint; the mutex protects the data.
 */
export class WriterMark {
  readonly #path: string;
  readonly #committed: CommittedTransaction;
  /** Undefined if the disk has no space for the file. */
  readonly #fd: number | undefined;
  /** Process id, inode of the data file, id of the newest transaction when this one started. */
  readonly #own = new Float64Array(3);
  readonly #found = new Float64Array(3);

  /** `path` is that of the data file, `mode` the permissions of the mark's file. */
  constructor(path: string, mode: number) {
    this.#path = path;
    this.#fd = openMark(`${path}-writer`, mode);
    this.#committed = new CommittedTransaction(path);
  }

  /** Returns the id of the newest transaction. */
  newestTransaction(): number {
    return this.#committed.id();
  }

  set(newestTransaction: number): void {
    this.#write(process.pid, newestTransaction);
  }

  /** Removes the mark of a transaction that was rolled back. Other marks end with the commit. */
  clear(): void {
    if (this.#read() && this.#found[0] === process.pid) this.#write(0, 0);
  }

  /** Returns the id of another process that is in a transaction, or ended in one. */
  holder(): number | undefined {
    if (!this.#read()) return undefined;
    const [pid = 0, inode, before = 0] = this.#found;
    if (pid === 0 || pid === process.pid || inode !== this.#committed.inode) return undefined;
    return this.#committed.id() <= before ? pid : undefined;
  }

  #read(): boolean {
    const { byteLength } = this.#found;
    return this.#fd !== undefined && readSync(this.#fd, this.#found, 0, byteLength, 0) === byteLength;
  }

  /**
   * Waits until the current transaction of another process has ended.
   * @throws StuckWriterError after `waitMs`
   */
  async released(environment: NativeEnv, waitMs: number): Promise<void> {
    const holder = this.holder();
    if (holder === undefined) return;
    const [, , before] = this.#found;
    const start = performance.now();
    let isKnownToRun = false;
    for (;;) {
      await delay(pollMs);
      if (this.holder() !== holder || this.#found[2] !== before) return;
      const waitedMs = performance.now() - start;
      if (waitedMs > suspectMs && !isKnownToRun) {
        if (!isOpenIn(holder, environment)) return;
        isKnownToRun = true;
      }
      if (waitedMs > waitMs) throw new StuckWriterError(this.#path, holder, waitMs);
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#committed.close();
  }

  #write(pid: number, newestTransaction: number): void {
    if (this.#fd === undefined) return;
    this.#own.set([pid, this.#committed.inode, newestTransaction]);
    try {
      writeSync(this.#fd, this.#own, 0, this.#own.byteLength, 0);
    } catch {
      // The disk is full, and there is no hint.
    }
  }
}

/** Another process has been in one transaction for too long, probably because it is stopped. */
export class StuckWriterError extends MoteError {
  constructor(path: string, pid: number, waitMs: number) {
    super(
      "MOTE_TIMEOUT",
      `${path}: process ${pid} has been in one transaction for more than ${waitMs / 1000} seconds; continue or end it`,
      { details: { path, pid } },
    );
  }
}

// LMDB lists the processes that have the file open, by locks that end with the process.
function isOpenIn(pid: number, environment: NativeEnv): boolean {
  environment.readerCheck();
  return environment.readerList().some((line) => Number.parseInt(line, 10) === pid);
}

function openMark(path: string, mode: number): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), mode);
  } catch (error) {
    if (errorCode(error) === "ENOSPC") return undefined;
    throw error;
  }
}
