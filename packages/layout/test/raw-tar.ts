/** An entry of a tar, valid or not. */
export interface RawEntry {
  readonly name: string;
  /** The type flag: 0 file, 1 hard link, 2 symbolic link, 5 directory. */
  readonly flag: string;
  readonly link?: string;
  readonly text?: string;
  readonly mode?: number;
  /** The format of names that are too long for a header. Default: cut. */
  readonly long?: "pax" | "gnu" | undefined;
}

const blockBytes = 512;

/** Writes a tar of these entries without checks. */
export function rawTar(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(rawEntry), Buffer.alloc(2 * blockBytes)]);
}

function rawEntry({ name, flag, link = "", text = "", mode = 0o644, long }: RawEntry): Buffer[] {
  const own = [rawHeader(name, flag, { link, size: Buffer.byteLength(text), mode }), padded(text)];
  if (long === "pax") {
    const records = paxRecord("path", name) + (link === "" ? "" : paxRecord("linkpath", link));
    return [rawHeader("PaxHeader", "x", { size: Buffer.byteLength(records) }), padded(records), ...own];
  }
  if (long !== "gnu") return own;
  const before = (kind: string, value: string) => [
    rawHeader("././@LongLink", kind, { size: Buffer.byteLength(value) + 1 }),
    padded(`${value}\0`),
  ];
  return [...before("L", name), ...(link === "" ? [] : before("K", link)), ...own];
}

function rawHeader(
  name: string,
  flag: string,
  { link = "", size, mode = 0o644 }: { readonly link?: string; readonly size: number; readonly mode?: number },
): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("        ", 148);
  block.write(flag, 156, 1);
  block.write(link, 157, 100);
  block.write("ustar\0" + "00", 257, "latin1");
  octal(1, 329, 8);
  octal(3, 337, 8);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

function padded(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.byteLength & (blockBytes - 1))]);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (length !== Buffer.byteLength(rest) + String(length).length) {
    length = Buffer.byteLength(rest) + String(length).length;
  }
  return `${length}${rest}`;
}
