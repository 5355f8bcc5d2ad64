/** An entry of a tar: a regular file, unless it has another type. */
export interface TarEntry {
  readonly path: string;
  readonly content?: Uint8Array;
  readonly type?: string;
  /** That the header declares, if not that of the content. */
  readonly size?: number;
  /** Of an extended header. */
  readonly records?: Readonly<Record<string, string>>;
}

/** Returns a tar without its end. */
export function entryBytes(entries: readonly TarEntry[]): Uint8Array {
  return Buffer.concat(entries.flatMap(encoded));
}

/** Returns a tar. Paths of more than 100 bytes get an extended header. */
export function tarBytes(entries: readonly TarEntry[]): Uint8Array {
  return Buffer.concat([entryBytes(entries), new Uint8Array(1024)]);
}

function encoded({ path, content = new Uint8Array(0), type = "0", size = content.byteLength, records = {} }: TarEntry) {
  const entry = [header(path, size, type), content, padding(content)];
  const all = Object.entries(Buffer.byteLength(path) <= 100 ? records : { path, ...records });
  if (all.length === 0) return entry;
  const extended = Buffer.concat(all.map(([key, value]) => paxRecord(key, value)));
  return [header("pax", extended.byteLength, "x"), extended, padding(extended), ...entry];
}

function header(path: string, size: number, type: string): Uint8Array {
  const block = Buffer.alloc(512);
  block.write(path, 0, 100);
  block.write("0000644\0", 100);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write(type, 156, 1, "latin1");
  block.write("ustar\x0000", 257);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function paxRecord(key: string, value: string): Uint8Array {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let total = rest + 1;
  while (String(total).length + rest !== total) total = String(total).length + rest;
  return Buffer.from(`${total} ${key}=${value}\n`);
}

function padding(content: Uint8Array): Uint8Array {
  return new Uint8Array((512 - (content.byteLength % 512)) % 512);
}

/** Yields bytes in chunks of a size that does not divide the blocks of a tar. */
export async function* inChunks(bytes: Uint8Array, size = 997): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

export async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
