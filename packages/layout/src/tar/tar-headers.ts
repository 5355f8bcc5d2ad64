import { isUtf8 } from "node:buffer";
import { MoteError } from "@mote/core";
import { extract, type Header } from "tar-stream";
import { invalidArchive } from "../disk/file-error.js";
import { isLonger, maxNameBytes } from "./entry-name.js";
import { blockBytes, paddedBytes } from "./tar-header.js";

/** Records of an extended header, more than any tool writes. Copied for every entry. */
const maxPaxRecords = 512;
const zeros = new Uint8Array(1024 * 1024);
/** Content up to this many bytes is passed to the parser with the next header. */
const smallBytes = 64 * 1024;
/** Header blocks of an entry that are kept to verify its name: 64 KiB, enough for any name. */
const maxHeaderBlocks = 128;
/** Zero blocks that end an archive (POSIX.1-2017, pax, "ustar Interchange Format"). */
const endBlocks = 2;
/** More zero blocks than an accepted extended header contains: 4 MiB. */
const endBlocksInHeaders = 8193;
/** Replaces bytes that are not UTF-8, but is also a character itself. */
const replacement = "\u{fffd}";

export interface TarEntry {
  readonly name: string;
  readonly type: "file" | "folder" | "link" | "hard-link" | "other";
  readonly size: number;
  /** A link's target: relative to its folder for a symbolic link, to the top for a hard link. */
  readonly linkName: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** When it was last changed, in Unix milliseconds. */
  readonly modifiedMs: number;
  /** The offset of its content in the archive. */
  readonly offset: number;
}

/** Reads a tar's headers with tar-stream, passing zeros for content. Rejects more than tar-stream: odd sizes, sparse files. */
export class TarHeaders {
  // Formats without a magic predate 1988, and otherwise differ in nothing that is read here.
  readonly #parser = extract({ allowUnknownFormat: true, highWaterMark: 1 } as { highWaterMark: number });
  readonly #location: string;
  #entry: TarEntry | undefined;
  #failure: unknown;
  /** Content bytes of the last entry that the parser expects. */
  #skip = 0;
  #wake: (() => void) | undefined;
  /** The headers of the next entry. */
  #blocks: Uint8Array[] = [];
  /** Consecutive zero blocks at the end so far. */
  #zeroBlocks = 0;
  /** Whether the next entry's headers have begun: they may contain zeros. */
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

  /** Reads the next header block; returns undefined until an entry's headers are complete. @throws MOTE_INVALID_ARCHIVE */
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

  /** Whether the archive may end here. Go's tools accept one without zero blocks at its end, so there are layers without, even empty ones. */
  get mayEnd(): boolean {
    return !this.#isInHeaders;
  }

  /** Whether the archive has ended. Like other tools, ignores whatever follows. */
  get hasEnded(): boolean {
    return this.#zeroBlocks >= (this.#isInHeaders ? endBlocksInHeaders : endBlocks);
  }

  close(): void {
    this.#parser.destroy();
  }

  /** The parser decodes names. If U+FFFD was in the original, its bytes are in the headers. */
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

/** Text fields of a header: start and end; a zero byte may end them earlier. */
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
  const { name, size, mode, uid, gid, mtime, linkname, pax } = header;
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
  // tar-stream parses -0 in base 256 as -1.
  if (!Number.isSafeInteger(size) || size < 0 || Object.is(size, -0))
    throw invalidArchive(location, `the size of ${shown} is not valid`);
  const type = types[String(header.type)] ?? "other";
  // A folder has no content, whatever its size.
  const bytes = type === "folder" ? 0 : size;
  const owner = { uid: numberOf(uid), gid: numberOf(gid), modifiedMs: numberOf(mtime?.getTime()) };
  return { name, size: bytes, mode, ...owner, linkName: linkname ?? "", offset: headerOffset + blockBytes, type };
}

/** Fields that only describe a file are not checked by tar-stream. */
function numberOf(value: number | null | undefined): number {
  return Number.isSafeInteger(value) && (value ?? 0) >= 0 ? (value ?? 0) : 0;
}

/** tar-stream's types omit that an unknown flag has type null. */
const types: Readonly<Record<string, TarEntry["type"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "folder",
  symlink: "link",
  link: "hard-link",
};
