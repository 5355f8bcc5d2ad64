import fs from "node:fs";
import type { Digest, Logger } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { removeOpenFile } from "../disk/plain-file.js";
import type { IngestFiles } from "./ingest-files.js";

/** Often enough that other processes do not consider the holder dead (see `unknownSilenceMs`). */
const renewEveryMs = 60 * 1000;
/** A holder suspended for this long may have been considered dead, even if its file still exists. */
const suspendedMs = 30 * 60 * 1000;
/** The file is rewritten at twice the held lines plus this many. */
const spareLines = 256;

interface JournalDependencies {
  readonly ingests: IngestFiles;
  readonly newPath: () => string;
  /** Resolves when every running prune has seen what was written before. */
  readonly acknowledged: () => Promise<void>;
  readonly logger: Logger;
}

interface JournalFile {
  readonly path: string;
  readonly fd: number;
  /** Offset in bytes of the next line. */
  end: number;
  lines: number;
  /** Offset of the line of each held digest. */
  readonly positions: Map<Digest, number>;
}

/**
 * The digests that the leases of one cache hold, in one file that exists while anything is held. A line adds a digest or, with a
 * leading minus, removes it; older releases skip the latter, so to them it is held until the file is rewritten.
 */
export class LeaseJournal {
  readonly #from: JournalDependencies;
  /** The number of leases that hold each digest. */
  readonly #counts = new Map<Digest, number>();
  #file: JournalFile | undefined;
  /** Replaced by `#file`; kept until every prune knows that. */
  #replaced: JournalFile | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #renewed = { wallMs: 0, steadyMs: 0 };
  #losses = 0;

  constructor(from: JournalDependencies) {
    this.#from = from;
  }

  /** How many times leases may have been interrupted because another process considered this one dead. */
  get losses(): number {
    return this.#losses;
  }

  digests(): Iterable<Digest> {
    return this.#counts.keys();
  }

  /** Returns whether the file is this journal's own. */
  owns(path: string): boolean {
    return path === this.#file?.path || path === this.#replaced?.path;
  }

  /** Holds all of them or none. @throws MOTE_NO_SPACE · MOTE_UNWRITABLE · MOTE_IO */
  hold(digests: readonly Digest[]): void {
    if (digests.length === 0) return;
    const added = digests.filter((digest) => !this.#counts.has(digest));
    this.#write(() => this.#append(this.#writable(), added));
    for (const digest of digests) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
  }

  release(digests: Iterable<Digest>): void {
    const gone: Digest[] = [];
    for (const digest of digests) {
      const left = (this.#counts.get(digest) ?? 0) - 1;
      if (left > 0) this.#counts.set(digest, left);
      else if (this.#counts.delete(digest)) gone.push(digest);
    }
    if (this.#counts.size === 0) this.#end();
    else if (this.#file !== undefined && gone.length > 0) this.#strike(this.#file, gone);
  }

  /** Renews everything that is held. @throws as `hold` */
  renew(): void {
    if (this.#counts.size === 0) return;
    if (this.#wasSuspended()) this.#losses++;
    this.#write(() => {
      const { fd } = this.#writable();
      const now = new Date();
      fs.futimesSync(fd, now, now);
    });
    this.#noteRenewal();
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw fileError(error, "write", this.#file?.path ?? this.#from.newPath());
    }
  }

  /** Recreates the file if it was removed: another process considered this one dead after a suspension, or the folder was removed. */
  #writable(): JournalFile {
    if (this.#file === undefined) return this.#begin();
    if (fs.fstatSync(this.#file.fd).nlink > 0) return this.#file;
    const lost = this.#file;
    this.#file = this.#create();
    this.#losses++;
    fs.closeSync(lost.fd);
    return this.#file;
  }

  #begin(): JournalFile {
    this.#file = this.#create();
    this.#noteRenewal();
    this.#renewal = setInterval(() => this.#renewOrWarn(), renewEveryMs).unref();
    return this.#file;
  }

  /** Creates a file with everything that is held. */
  #create(): JournalFile {
    const path = this.#from.newPath();
    const file = { path, fd: this.#from.ingests.create(path), end: 0, lines: 0, positions: new Map<Digest, number>() };
    try {
      this.#append(file, [...this.#counts.keys()]);
    } catch (error) {
      this.#remove(file);
      throw error;
    }
    return file;
  }

  /** Begins each line with a newline: on a full disk the previous line may be incomplete. */
  #append(file: JournalFile, digests: readonly Digest[]): void {
    const begun: (readonly [Digest, number])[] = [];
    let text = "";
    for (const digest of digests) {
      begun.push([digest, file.end + text.length + 1]);
      text += `\n${digest}\n`;
    }
    try {
      writeAtEnd(file, text);
    } catch (error) {
      // Lines that were written completely must not hold anything.
      for (const [digest, position] of begun) if (position + digest.length < file.end) this.#blank(file, position);
      throw error;
    }
    for (const [digest, position] of begun) file.positions.set(digest, position);
    file.lines += digests.length;
  }

  #strike(file: JournalFile, digests: readonly Digest[]): void {
    try {
      writeAtEnd(file, digests.map((digest) => `\n-${digest}\n`).join(""));
      file.lines += digests.length;
    } catch (error) {
      this.#from.logger.debug("a lease's end takes no space on a full disk", { path: file.path, error });
      for (const digest of digests) this.#blank(file, file.positions.get(digest));
    }
    for (const digest of digests) file.positions.delete(digest);
    if (file.lines > 2 * this.#counts.size + spareLines && this.#replaced === undefined) void this.#rewrite(file);
  }

  /** Blanks the line in place, which takes no space. A process that has read it holds the digest for longer anyway. */
  #blank(file: JournalFile, position: number | undefined): void {
    if (position === undefined) return;
    try {
      fs.writeSync(file.fd, "-", position);
    } catch (error) {
      this.#from.logger.debug("a lease ends only when its file is rewritten", { path: file.path, error });
    }
  }

  /** Continues in a new file. The old one stays until every prune has looked since, for those that listed the files before. */
  async #rewrite(file: JournalFile): Promise<void> {
    try {
      this.#file = this.#create();
    } catch (error) {
      this.#from.logger.debug("a lease's file could not be rewritten", { path: file.path, error });
      file.lines = 0;
      return;
    }
    this.#replaced = file;
    try {
      await this.#from.acknowledged();
    } catch (error) {
      this.#from.logger.debug("a prune does not know of a lease's new file", { path: file.path, error });
    }
    if (this.#replaced !== file) return;
    this.#replaced = undefined;
    this.#remove(file);
  }

  #end(): void {
    clearInterval(this.#renewal);
    for (const file of [this.#file, this.#replaced]) if (file !== undefined) this.#remove(file);
    this.#file = undefined;
    this.#replaced = undefined;
  }

  #remove(file: JournalFile): void {
    removeOpenFile(file, (error) =>
      this.#from.logger.warn("cannot remove the file of a lease", { path: file.path, error }),
    );
  }

  #renewOrWarn(): void {
    try {
      this.renew();
    } catch (error) {
      this.#from.logger.debug("a lease could not be renewed", { path: this.#file?.path, error });
    }
  }

  #noteRenewal(): void {
    this.#renewed = { wallMs: Date.now(), steadyMs: performance.now() };
  }

  /** Checks both clocks: the monotonic one stops while a machine sleeps, the other may be set. */
  #wasSuspended(): boolean {
    const { wallMs, steadyMs } = this.#renewed;
    return Math.abs(Date.now() - wallMs) >= suspendedMs || performance.now() - steadyMs >= suspendedMs;
  }
}

function writeAtEnd(file: JournalFile, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  for (let put = 0; put < bytes.byteLength; ) {
    const wrote = fs.writeSync(file.fd, bytes, put, bytes.byteLength - put, file.end);
    put += wrote;
    file.end += wrote;
  }
}
