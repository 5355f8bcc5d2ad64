/** POSIX.1-2017, pax, "ustar Interchange Format": headers and content consist of blocks of this many bytes. */
export const blockBytes = 512;

/** The kind of entry. A program is an executable file. */
export type TarType = "file" | "program" | "folder" | "link" | "hard-link";

export interface TarAttributes {
  /** Permission bits. Default: those of the type. */
  readonly mode?: number | undefined;
  /** Default 0, as for the group and the time, so that the header is reproducible. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** In Unix milliseconds. */
  readonly modifiedMs?: number | undefined;
}

/** Returns the header of a file, folder or link. */
export function writeTarHeader(
  name: string,
  size: number,
  type: TarType,
  linkName = "",
  attributes: TarAttributes = {},
): Uint8Array {
  const own = ustarHeader(name, Math.min(size, largestOctal), { ...types[type], ...defined(attributes) }, linkName);
  const extended = paxRecords(name, size, linkName, attributes);
  if (extended === undefined) return own;
  const body = new TextEncoder().encode(extended);
  const header = ustarHeader("PaxHeader", body.byteLength, { flag: "x", mode: 0o644 }, "");
  const whole = new Uint8Array(header.byteLength + paddedBytes(body.byteLength) + own.byteLength);
  whole.set(header);
  whole.set(body, header.byteLength);
  whole.set(own, whole.byteLength - own.byteLength);
  return whole;
}

/** Padding up to the next block, in bytes. */
export function paddedBytes(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

const largestOctal = 0o77777777777;
/** The largest user or group that its field can hold. */
const largestOwner = 0o7777777;

const nameBytes = 100;

const types: Readonly<Record<TarType, { readonly flag: string; readonly mode: number }>> = {
  file: { flag: "0", mode: 0o644 },
  program: { flag: "0", mode: 0o755 },
  folder: { flag: "5", mode: 0o755 },
  link: { flag: "2", mode: 0o777 },
  "hard-link": { flag: "1", mode: 0o644 },
};

function defined({ mode, ...owner }: TarAttributes): TarAttributes {
  return mode === undefined ? owner : { mode, ...owner };
}

function paxRecords(
  name: string,
  size: number,
  linkName: string,
  { uid = 0, gid = 0 }: TarAttributes,
): string | undefined {
  const isLong = (text: string) => new TextEncoder().encode(text).byteLength > nameBytes;
  const records = [
    ...(isLong(name) ? [paxRecord("path", name)] : []),
    ...(isLong(linkName) ? [paxRecord("linkpath", linkName)] : []),
    ...(size > largestOctal ? [paxRecord("size", String(size))] : []),
    ...(uid > largestOwner ? [paxRecord("uid", String(uid))] : []),
    ...(gid > largestOwner ? [paxRecord("gid", String(gid))] : []),
  ];
  return records.length === 0 ? undefined : records.join("");
}

/** `length key=value\n`, where the length includes itself. */
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
  { flag, mode = 0o644, uid = 0, gid = 0, modifiedMs = 0 }: TarAttributes & { readonly flag: string },
  linkName: string,
): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (text: string, at: number) => block.set(new TextEncoder().encode(text).subarray(0, nameBytes), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(name, 0);
  put(octal(mode & 0o7777, 7), 100);
  put(octal(Math.min(uid, largestOwner), 7), 108);
  put(octal(Math.min(gid, largestOwner), 7), 116);
  put(octal(size, 11), 124);
  put(octal(Math.min(Math.floor(modifiedMs / 1000), largestOctal), 11), 136);
  put(flag, 156);
  put(linkName, 157);
  put("ustar\0", 257);
  put("00", 263);
  put(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The sum of the header's bytes, with blanks for its own field. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
}
