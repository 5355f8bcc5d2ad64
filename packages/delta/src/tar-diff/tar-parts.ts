import { readPaxRecords } from "./pax-records.js";

/** An entry of a tar. */
export interface TarEntry {
  /** Without "/" or "./" in front. Undefined if it is not UTF-8, is too long, or leads out of the tar. */
  readonly path: string | undefined;
  readonly isRegular: boolean;
  readonly isFolder: boolean;
}

/** What a tar consists of, in order. `entry` follows the bytes of its header; the content of a regular file follows its entry. */
export type TarPart =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "content"; readonly bytes: Uint8Array }
  | { readonly kind: "other"; readonly bytes: Uint8Array };

const blockBytes = 512;
/** Limit on an extended header; larger ones are not read. */
const maxExtendedBytes = 1024 * 1024;
/** Linux's limit on a path. */
const maxPathBytes = 4096;
/** Where the header of a sparse file of GNU tar says that it continues in another block, and where that block says so. */
const continuedAt = 482;
const continuedAgainAt = 504;

/**
 * Splits a tar into the contents of regular files and everything else. All bytes of the input are in the output, in order. What cannot be read
 * as a tar is `other`, to its end.
 */
export class TarParts {
  #header: Uint8Array = new Uint8Array(0);
  #left = 0;
  #padding = 0;
  #body: "content" | "other" | "extended" = "other";
  #extended: { readonly type: string; readonly chunks: Uint8Array[] } | undefined;
  #longName: Uint8Array | undefined;
  #records = new Map<string, string>();
  /** The body of a sparse file of GNU tar, while the blocks that continue its header are read. */
  #sparse: { readonly left: number; readonly padding: number } | undefined;
  #isEnded = false;
  #zeroBlocks = 0;

  /** Yields the parts of the next bytes of the tar. The parts share the memory of the chunk. */
  *split(chunk: Uint8Array): Generator<TarPart, void, undefined> {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#isEnded) {
        yield { kind: "other", bytes: chunk.subarray(at) };
        return;
      }
      if (this.#left > 0) {
        const bytes = chunk.subarray(at, at + this.#left);
        at += bytes.byteLength;
        this.#left -= bytes.byteLength;
        if (this.#body === "extended") this.#extended?.chunks.push(new Uint8Array(bytes));
        yield { kind: this.#body === "content" ? "content" : "other", bytes };
        if (this.#left === 0) this.#endBody();
        continue;
      }
      const bytes = chunk.subarray(at, at + (this.#padding || blockBytes - this.#header.byteLength));
      at += bytes.byteLength;
      yield { kind: "other", bytes };
      if (this.#padding > 0) this.#padding -= bytes.byteLength;
      else {
        this.#header = Buffer.concat([this.#header, bytes]);
        if (this.#header.byteLength === blockBytes) yield* this.#endHeader();
      }
    }
  }

  #endBody(): void {
    const extended = this.#extended;
    this.#extended = undefined;
    if (extended === undefined) return;
    const bytes = Buffer.concat(extended.chunks);
    if (extended.type === "L") this.#longName = untilNul(bytes);
    else this.#records = readPaxRecords(bytes);
  }

  *#endHeader(): Generator<TarPart, void, undefined> {
    const header = this.#header;
    this.#header = new Uint8Array(0);
    if (this.#sparse !== undefined) {
      if (header[continuedAgainAt] !== 0) return;
      this.#left = this.#sparse.left;
      this.#padding = this.#sparse.padding;
      this.#sparse = undefined;
      return;
    }
    if (header.every((byte) => byte === 0)) {
      this.#zeroBlocks++;
      this.#isEnded = this.#zeroBlocks === 2;
      return;
    }
    this.#zeroBlocks = 0;
    const type = String.fromCharCode(header[156] ?? 0);
    const isExtended = "xgLK".includes(type);
    const sizeRecord = isExtended ? undefined : this.#records.get("size");
    const size = sizeRecord === undefined ? readNumber(header.subarray(124, 136)) : readDecimal(sizeRecord);
    if (!hasChecksum(header) || size === undefined) {
      this.#isEnded = true;
      return;
    }
    this.#padding = (blockBytes - (size % blockBytes)) % blockBytes;
    this.#left = size;
    this.#body = "other";
    if (isExtended) {
      if ("xL".includes(type) && size <= maxExtendedBytes) {
        this.#extended = { type, chunks: [] };
        this.#body = "extended";
      }
      return;
    }
    const entry = this.#entry(header, type);
    this.#longName = undefined;
    this.#records = new Map();
    // Links and folders have no content, whatever their size says; other types are unknown.
    if ("123456".includes(type)) this.#left = this.#padding = 0;
    else if (entry.isRegular) this.#body = "content";
    else if (type === "S" && header[continuedAt] !== 0) {
      // They are not counted in the size. Without them, stored content could pass for a header.
      this.#sparse = { left: this.#left, padding: this.#padding };
      this.#left = this.#padding = 0;
    }
    yield { kind: "entry", entry };
  }

  #entry(header: Uint8Array, type: string): TarEntry {
    // In the format 1.0 of sparse files, "path" is a name for readers that do not know the format.
    const pax = this.#records.get("GNU.sparse.name") ?? this.#records.get("path");
    const name = pax === undefined ? (this.#longName ?? ustarName(header)) : Buffer.from(pax);
    const isSparse = [...this.#records.keys()].some((key) => key.startsWith("GNU.sparse"));
    const isNamedAsFolder = name[name.byteLength - 1] === 0x2f;
    return {
      path: plainPath(name),
      isRegular: ["0", "\0", "7"].includes(type) && !isSparse && !isNamedAsFolder,
      isFolder: type === "5" || (isNamedAsFolder && ["0", "\0"].includes(type)),
    };
  }
}

/** Returns a path without empty and "." components, or undefined if it is not valid UTF-8, is too long or has "..". */
export function plainPath(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > maxPathBytes) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
  const names = text.split("/").filter((name) => name !== "" && name !== ".");
  return names.includes("..") || text.includes("\0") ? undefined : names.join("/");
}

function ustarName(header: Uint8Array): Uint8Array {
  const name = untilNul(header.subarray(0, 100));
  const isUstar = Buffer.from(header.subarray(257, 263)).toString("latin1") === "ustar\0";
  const prefix = isUstar ? untilNul(header.subarray(345, 500)) : new Uint8Array(0);
  return prefix.byteLength === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function hasChecksum(header: Uint8Array): boolean {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return readNumber(header.subarray(148, 156)) === sum;
}

/** Reads an octal number, or one in base 256. Returns undefined if it is not valid or not a safe integer. */
function readNumber(field: Uint8Array): number | undefined {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = Buffer.from(untilNul(field)).toString("latin1").trim();
  if (!/^[0-7]*$/.test(text)) return undefined;
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function readDecimal(text: string): number | undefined {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : undefined;
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}
