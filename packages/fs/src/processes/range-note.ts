import fs from "node:fs";
import { type ByteRange, ByteRanges, digestBytes } from "@mote/core";
import { asynchronousCalls, type FileCalls } from "../disk/file-calls.js";
import { fileError } from "../disk/file-error.js";
import { removeIfPossible } from "../disk/plain-file.js";
import type { IngestFiles, IngestPath } from "./ingest-files.js";

const format = "mote-ranges 1";
const slotBytes = 4096;
const slots = 2;
/** What fits into a slot. Ranges beyond are fetched again. */
const maxNotedRanges = 96;
/** How many bytes may be written before the note is, and how long it may be late: a reader that follows waits for it. */
const noteEveryBytes = 1024 * 1024;
const noteEveryMs = 50;

/**
 * Records beside an ingest file which of its ranges are written, after they are. Two slots are written in turn, each with a sequence number and a
 * checksum, so that one is valid at any moment.
 */
export class RangeNote {
  readonly #path: string;
  readonly #fd: number;
  readonly #ranges: ByteRanges;
  readonly #calls: FileCalls;
  #sequence = 0;
  #unnotedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isStale = false;
  #error: { readonly error: unknown } | undefined;
  #isClosed = false;

  private constructor(path: string, fd: number, ranges: ByteRanges, calls: FileCalls) {
    this.#path = path;
    this.#fd = fd;
    this.#ranges = ranges;
    this.#calls = calls;
  }

  /** @param ranges the written ranges, which the caller extends */
  static create(ingests: IngestFiles, file: Pick<IngestPath, "name">, ranges: ByteRanges, calls: FileCalls): RangeNote {
    const path = ingests.notePath(file);
    try {
      return new RangeNote(path, ingests.create(path), ranges, calls);
    } catch (error) {
      throw fileError(error, "write", path);
    }
  }

  /** Called when bytes were added to the ranges. Resolves at once, or when the note is no longer overdue. @throws MOTE_NO_SPACE · MOTE_IO */
  async added(bytes: number): Promise<void> {
    this.#unnotedBytes += bytes;
    if (this.#unnotedBytes < noteEveryBytes) {
      this.#timer ??= setTimeout(() => this.#startWriting(), noteEveryMs).unref();
    } else {
      this.#startWriting();
      if (this.#unnotedBytes >= 2 * noteEveryBytes) await this.#writing;
    }
    this.#throwIfFailed();
  }

  /** Waits until everything is recorded. */
  async flush(): Promise<void> {
    while (this.#unnotedBytes > 0 || this.#writing !== undefined) {
      this.#startWriting();
      await this.#writing;
      this.#throwIfFailed();
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await asynchronousCalls.close(this.#fd);
  }

  /** Best effort: a note without its file is removed later. */
  async remove(): Promise<void> {
    await this.close();
    removeIfPossible(this.#path);
  }

  #startWriting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isStale = true;
    if (this.#isClosed) return;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    try {
      while (this.#isStale && this.#error === undefined) {
        this.#isStale = false;
        this.#unnotedBytes = 0;
        const sequence = ++this.#sequence;
        await this.#calls.write(this.#fd, slotOf(sequence, this.#ranges.ranges), (sequence % slots) * slotBytes);
      }
    } catch (error) {
      this.#error = { error: fileError(error, "write", this.#path) };
    }
  }

  #throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error.error;
  }
}

/** Reads which ranges are written; none if there is no note or it is not valid. */
export function readRanges(ingests: IngestFiles, file: Pick<IngestPath, "name">): readonly ByteRange[] {
  const note = Buffer.alloc(slots * slotBytes);
  let length: number;
  try {
    const fd = fs.openSync(ingests.notePath(file), fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0));
    try {
      length = fs.readSync(fd, note, 0, note.byteLength, 0);
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return [];
  }
  let newest: { readonly sequence: number; readonly ranges: readonly ByteRange[] } | undefined;
  for (let at = 0; at < length; at += slotBytes) {
    const slot = parseSlot(note.toString("latin1", at, Math.min(length, at + slotBytes)));
    if (slot !== undefined && slot.sequence > (newest?.sequence ?? 0)) newest = slot;
  }
  return newest?.ranges ?? [];
}

/** `mote-ranges 1 SEQUENCE START-END,… CHECKSUM`, padded with spaces. */
function slotOf(sequence: number, ranges: readonly ByteRange[]): Uint8Array {
  const list = ranges.slice(0, maxNotedRanges).map(({ start, end }) => `${start}-${end}`);
  const text = `${format} ${sequence} ${list.join(",")}`;
  return Buffer.from(`${text} ${checksum(text)}\n`.padEnd(slotBytes), "latin1");
}

function parseSlot(slot: string): { readonly sequence: number; readonly ranges: readonly ByteRange[] } | undefined {
  const [, text = "", version, sequence, list = "", sum] =
    /^((mote-ranges \d+) (\d{1,15}) ((?:\d{1,16}-\d{1,16}(?:,|(?= )))*)) ([0-9a-f]+)\n/.exec(slot) ?? [];
  if (version !== format || sum !== checksum(text)) return undefined;
  const ranges = new ByteRanges();
  for (const range of list === "" ? [] : list.split(",")) {
    const [start = 0, end = 0] = range.split("-").map(Number);
    if (!Number.isSafeInteger(end) || start >= end) return undefined;
    ranges.add(start, end);
  }
  return { sequence: Number(sequence), ranges: ranges.ranges };
}

function checksum(text: string): string {
  return digestBytes(Buffer.from(text, "latin1")).slice(-16);
}
