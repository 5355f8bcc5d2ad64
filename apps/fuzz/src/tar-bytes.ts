import fc from "fast-check";

interface TarEntry {
  readonly name: string;
  readonly flag: string;
  readonly linkName: string;
  readonly body: Uint8Array;
  /** How to write a long name or a size. */
  readonly form: "ustar" | "pax" | "gnu" | "base-256";
  readonly mode: number;
}

const name = fc.oneof(
  fc
    .array(fc.constantFrom("a", "b", "A", "..", ".", "", "a\\b", "C:", "é", "e\u0301", "x".repeat(120)), {
      minLength: 1,
      maxLength: 4,
    })
    .map((names) => names.join("/")),
  fc.constantFrom("/etc/x", "../out", "a/../../out", "./a", "a/", "/", ".", "..", "", "a\0b"),
);

const tarEntry: fc.Arbitrary<TarEntry> = fc.record({
  name,
  flag: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("0", "5", "2", "1") },
    { weight: 1, arbitrary: fc.constantFrom("\0", "3", "4", "6", "7", "x", "g", "L", "K", "S", "V") },
  ),
  linkName: fc.oneof(name, fc.constant("")),
  body: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(new Uint8Array(600))),
  form: fc.constantFrom("ustar", "pax", "gnu", "base-256"),
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0, 0o7777),
});

export const tarBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.array(tarEntry, { maxLength: 6 }), fc.constantFrom(0, 512, 1024))
  .map(([entries, end]) => Buffer.concat([...entries.flatMap(encode), new Uint8Array(end)]));

export const paxBytes: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.tuple(
      fc.constantFrom("path", "linkpath", "size", "mtime", "GNU.sparse.name", "", "a"),
      fc.oneof(name, fc.constantFrom("0", "-1", "1e9", "9007199254740993", "9".repeat(30), "\n", "12 path=x\n")),
    ),
    { maxLength: 5 },
  )
  .map((records) => bytesOf(records.map(([key, value]) => record(key, value)).join("")));

function encode(entry: TarEntry): Uint8Array[] {
  const { form, linkName, body } = entry;
  const before: Uint8Array[] = [];
  if (form === "pax") {
    const records = bytesOf(record("path", entry.name) + (linkName === "" ? "" : record("linkpath", linkName)));
    before.push(
      header({ name: "PaxHeader", flag: "x", linkName: "", mode: 0o644 }, records.length, false),
      pad(records),
    );
  }
  if (form === "gnu") {
    const long = bytesOf(`${entry.name}\0`);
    before.push(header({ name: "././@LongLink", flag: "L", linkName: "", mode: 0o644 }, long.length, false), pad(long));
  }
  const written =
    entry.flag === "0" || entry.flag === "\0" || entry.flag === "7" || entry.flag > "6" ? body : new Uint8Array(0);
  return [...before, header(entry, written.length, form === "base-256"), pad(written)];
}

function header(
  { name, flag, linkName, mode }: Pick<TarEntry, "name" | "flag" | "linkName" | "mode">,
  size: number,
  isBase256: boolean,
): Uint8Array {
  const block = Buffer.alloc(512);
  bytesOf(name).copy(block, 0, 0, 100);
  block.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
  block.write(`0000000\0`.repeat(2), 108);
  if (isBase256) {
    block[124] = 0x80;
    block.writeUInt32BE(size, 132);
  } else block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(flag, 156, 1, "latin1");
  bytesOf(linkName).copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = bytesOf(rest).length;
  let total = length + 1;
  while (String(total).length + length !== total) total = String(total).length + length;
  return total + rest;
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, "utf8");
}

function pad(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  padded.set(bytes);
  return padded;
}

/** Returns a tar with a file of one byte after an extended header. */
export function tarWithPax(records: Uint8Array): Uint8Array {
  const file: TarEntry = { name: "file", flag: "0", linkName: "", body: Uint8Array.of(1), form: "ustar", mode: 0o644 };
  return Buffer.concat([
    header({ name: "PaxHeader", flag: "x", linkName: "", mode: 0o644 }, records.length, false),
    pad(records),
    ...encode(file),
    new Uint8Array(1024),
  ]);
}
