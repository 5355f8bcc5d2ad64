import { MoteError } from "@mote/core";

/** POSIX.1-2017, pax, "ustar Interchange Format": a header, and what follows it, comes in blocks of this many bytes. */
export const blockBytes = 512;

export interface TarHeader {
  readonly name: string;
  /** Bytes of content. */
  readonly size: number;
  readonly type: "file" | "folder" | "link" | "hard-link" | "pax" | "pax-global" | "long-name" | "long-link" | "other";
  /** Where a link leads: a symbolic one from its own folder, a hard one from the archive's top. */
  readonly linkName: string;
  /** Permission bits. */
  readonly mode: number;
}

const readTypes: Readonly<Record<string, TarHeader["type"]>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hard-link",
  "2": "link",
  "5": "folder",
  x: "pax",
  g: "pax-global",
  L: "long-name",
  K: "long-link",
};

/** Undefined for the block of zeros that ends an archive. @throws MOTE_INVALID_ARCHIVE */
export function readTarHeader(block: Uint8Array, place: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (readNumber(block, 148, 8, place) !== checksum(block)) throw invalidArchive(place, "a header's checksum is wrong");
  const isUstar = readText(block, 257, 5) === "ustar";
  const prefix = isUstar && block[262] === 0 ? readText(block, 345, 155) : "";
  const name = readText(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    size: readNumber(block, 124, 12, place),
    type: readTypes[String.fromCharCode(block[156] ?? 0)] ?? "other",
    linkName: readText(block, 157, 100),
    mode: readNumber(block, 100, 8, place),
  };
}

/** What a header is written for. A program is a file that may be run. */
export type TarType = "file" | "program" | "folder" | "link";

/** The header of a file, folder or symbolic link, the same for the same arguments: no time, no owner. */
export function writeTarHeader(name: string, size: number, type: TarType, linkName = ""): Uint8Array {
  const own = ustarHeader(name, Math.min(size, largestOctal), types[type], linkName);
  const extended = paxRecords(name, size, linkName);
  if (extended === undefined) return own;
  const body = new TextEncoder().encode(extended);
  const header = ustarHeader("PaxHeader", body.byteLength, { flag: "x", mode: 0o644 }, "");
  const whole = new Uint8Array(header.byteLength + paddedBytes(body.byteLength) + own.byteLength);
  whole.set(header);
  whole.set(body, header.byteLength);
  whole.set(own, whole.byteLength - own.byteLength);
  return whole;
}

/** Bytes of content up to the next block. */
export function paddedBytes(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

export function invalidArchive(place: string, what: string): MoteError {
  return new MoteError("MOTE_INVALID_ARCHIVE", `${place} is no archive that can be read: ${what}`, {
    details: { path: place },
  });
}

const largestOctal = 0o77777777777;

const nameBytes = 100;

const types: Readonly<Record<TarType, { readonly flag: string; readonly mode: number }>> = {
  file: { flag: "0", mode: 0o644 },
  program: { flag: "0", mode: 0o755 },
  folder: { flag: "5", mode: 0o755 },
  link: { flag: "2", mode: 0o777 },
};

function paxRecords(name: string, size: number, linkName: string): string | undefined {
  const isLong = (text: string) => new TextEncoder().encode(text).byteLength > nameBytes;
  const records = [
    ...(isLong(name) ? [paxRecord("path", name)] : []),
    ...(isLong(linkName) ? [paxRecord("linkpath", linkName)] : []),
    ...(size > largestOctal ? [paxRecord("size", String(size))] : []),
  ];
  return records.length === 0 ? undefined : records.join("");
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = new TextEncoder().encode(rest).byteLength;
  let length = restBytes + 1;
  while (String(length).length + restBytes !== length) length = String(length).length + restBytes;
  return `${length}${rest}`;
}

function ustarHeader(
  name: string,
  size: number,
  { flag, mode }: { readonly flag: string; readonly mode: number },
  linkName: string,
): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (text: string, at: number) => block.set(new TextEncoder().encode(text).subarray(0, nameBytes), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(name, 0);
  put(octal(mode, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(0, 11), 136);
  put(flag, 156);
  put(linkName, 157);
  put("ustar\0", 257);
  put("00", 263);
  put(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The sum of the header's bytes, with its own field as blanks. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
}

function readText(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits; or, with the first bit set, a number in base 256, as GNU tar writes what is too large. */
function readNumber(block: Uint8Array, at: number, length: number, place: string): number {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    let value = first & 0x7f;
    for (let next = at + 1; next < at + length; next++) value = value * 256 + (block[next] ?? 0);
    if (!Number.isSafeInteger(value)) throw invalidArchive(place, "a number in a header is too large");
    return value;
  }
  const digits = readText(block, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw invalidArchive(place, "a number in a header is none");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}
