import { isUtf8 } from "node:buffer";
import { MoteError } from "@mote/core";
import { extract, type Header } from "tar-stream";
import { invalidArchive } from "../disk/file-error.js";
import { isLonger, maxNameBytes } from "./entry-name.js";
import { blockBytes, paddedBytes } from "./tar-header.js";

/** Records of an extended header, more than any tool writes. They are copied for every entry. */
const maxPaxRecords = 512;
const zeros = new Uint8Array(1024 * 1024);
/** Content up to this many bytes is written to the parser together with the next header. */
const smallBytes = 64 * 1024;
/** Blocks of one entry's headers that are kept to compare its name with: 64 KiB, as much as any name takes. */
const maxHeaderBlocks = 128;
/** Blocks of zeros that end an archive (POSIX.1-2017, pax, "ustar Interchange Format"). */
const endBlocks = 2;
/** More blocks of zeros than an extended header has that the parser takes: 4 MiB. */
const endBlocksInHeaders = 8193;
/** What bytes that are not UTF-8 are read as, and a character of its own. */
const replacement = "\u{fffd}";

export interface TarEntry {
  readonly name: string;
  readonly type: "file" | "folder" | "link" | "hard-link" | "other";
  readonly size: number;
  /** Where a link leads: a symbolic one from its own folder, a hard one from the archive's top. */
  readonly linkName: string;
  /** Permission bits. */
  readonly mode: number;
  /** Where its content begins in the archive. */
  readonly offset: number;
}

/** Reads a tar's headers by tar-stream, which gets zeros in place of content. Refuses what it accepts and we do not: odd sizes, sparse files. */
export class TarHeaders {
  // Formats without a magic are those of before 1988, which differ in nothing else that is read here.
  readonly #parser = extract({ allowUnknownFormat: true, highWaterMark: 1 } as { highWaterMark: number });
  readonly #location: string;
  #entry: TarEntry | undefined;
  #failure: unknown;
  /** Bytes of the last entry's content, which the parser waits for. */
  #skip = 0;
  #wake: (() => void) | undefined;
  /** The headers of the entry that is next. */
  #blocks: Uint8Array[] = [];
  /** Blocks of zeros that came last, one after the other. */
  #zeroBlocks = 0;
  /** Whether headers have come that belong to the entry that is next: zeros may be a part of them. */
  #isInHeaders = false;

  constructor(location: string) {
    this.#location = location;
    const wake = () => this.#wake?.();
    this.#parser.on("drain", wake).on("close", wake);
    this.#parser.on("error", (error: unknown) => {
      this.#failure ??= error;
    });
    this.#parser.on("entry", (header, content, next) => {
      try {
        this.#assertUtf8(header.name, nameFields);
        this.#assertUtf8(header.linkname ?? "", linkNameFields);
        this.#entry = entryOf(header, content.offset, location);
        content.resume();
        next();
      } catch (error) {
        this.#failure = error;
        this.#parser.destroy();
      }
    });
  }

  /** Takes the next block that is not content; undefined until it completes the headers of an entry. @throws MOTE_INVALID_ARCHIVE */
  async take(block: Uint8Array): Promise<TarEntry | undefined> {
    for (; this.#skip > smallBytes; this.#skip -= Math.min(this.#skip, zeros.byteLength)) {
      await this.#write(zeros.subarray(0, this.#skip));
    }
    const chunk = new Uint8Array(this.#skip + blockBytes);
    chunk.set(block, this.#skip);
    if (this.#blocks.length < maxHeaderBlocks) this.#blocks.push(block.slice());
    await this.#write(chunk);
    const entry = this.#entry;
    this.#zeroBlocks = entry === undefined && block.every((byte) => byte === 0) ? this.#zeroBlocks + 1 : 0;
    this.#isInHeaders = entry === undefined && (this.#isInHeaders || this.#zeroBlocks === 0);
    if (entry !== undefined) this.#blocks = [];
    this.#entry = undefined;
    this.#skip = paddedBytes(entry?.size ?? 0);
    return entry;
  }

  /** Whether the block taken last is one of zeros, of which there must be one at the end. */
  get mayEnd(): boolean {
    return this.#zeroBlocks > 0;
  }

  /** Whether the archive has ended. Other tools read no further either, so whatever follows is ignored. */
  get hasEnded(): boolean {
    return this.#zeroBlocks >= (this.#isInHeaders ? endBlocksInHeaders : endBlocks);
  }

  close(): void {
    this.#parser.destroy();
  }

  /** The parser has read the name as text. If U+FFFD was written there itself, its bytes are in the headers. */
  #assertUtf8(name: string, fields: readonly Field[]): void {
    if (!name.includes(replacement) || isLonger(name, maxNameBytes)) return;
    const header = this.#blocks.at(-1) ?? new Uint8Array();
    const extended = Buffer.concat(this.#blocks.slice(0, -1));
    if (extended.includes(name) || fields.every((field) => isUtf8(textBytes(header, field)))) return;
    throw invalidArchive(this.#location, `the name ${JSON.stringify(name.slice(0, 200))} is not valid UTF-8`);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!this.#parser.destroyed && !this.#parser.write(chunk)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure === undefined && !this.#parser.destroyed) return;
    if (MoteError.isInstance(this.#failure)) throw this.#failure;
    throw invalidArchive(this.#location, `it is damaged (${String(this.#failure).slice(0, 200)})`);
  }
}

/** Where a header has text: from here to there, or to the first zero byte. */
type Field = readonly [start: number, end: number];
/** POSIX.1-2017, pax, "ustar Interchange Format": `name` and `prefix`; `linkname`. */
const nameFields: readonly Field[] = [
  [0, 100],
  [345, 500],
];
const linkNameFields: readonly Field[] = [[157, 257]];

function textBytes(header: Uint8Array, [start, end]: Field): Uint8Array {
  const field = header.subarray(start, end);
  const zero = field.indexOf(0);
  return zero < 0 ? field : field.subarray(0, zero);
}

/** @throws MOTE_INVALID_ARCHIVE */
function entryOf(header: Header, headerOffset: number, location: string): TarEntry {
  const { name, size, mode, linkname, pax } = header;
  const shown = JSON.stringify(name.slice(0, 200));
  const records = Object.entries(pax ?? {});
  if (records.length > maxPaxRecords)
    throw invalidArchive(location, `${shown} has more than ${maxPaxRecords} attributes`);
  for (const [key, value] of records) {
    if (key.startsWith("GNU.sparse"))
      throw invalidArchive(location, `${shown} is a sparse file, which is not supported`);
    if (key === "size" && !/^\d+$/.test(String(value)))
      throw invalidArchive(location, `the size of ${shown} is not valid`);
  }
  // In base 256, tar-stream takes -1 for -0.
  if (!Number.isSafeInteger(size) || size < 0 || Object.is(size, -0))
    throw invalidArchive(location, `the size of ${shown} is not valid`);
  const type = types[String(header.type)] ?? "other";
  // A folder has no content, whatever its size says.
  const bytes = type === "folder" ? 0 : size;
  return { name, size: bytes, mode, linkName: linkname ?? "", offset: headerOffset + blockBytes, type };
}

/** tar-stream's types do not say that the type of an unknown flag is null. */
const types: Readonly<Record<string, TarEntry["type"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "folder",
  symlink: "link",
  link: "hard-link",
};
