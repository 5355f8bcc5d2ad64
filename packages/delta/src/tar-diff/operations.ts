/** The first bytes of a tar-diff: "tardf1", a line feed, and zero. A zstd stream of operations follows. */
export const tarDiffMagic: Uint8Array = Uint8Array.of(0x74, 0x61, 0x72, 0x64, 0x66, 0x31, 0x0a, 0x00);

/** An operation is its number, a size as a varint, and for `data`, `open` and `addData` as many bytes. */
export const operations = { data: 0, open: 1, copy: 2, addData: 3, seek: 4 } as const;

/** Returns the bytes of a varint: seven bits in each byte, the lowest first. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  bytes.push(left);
  return bytes;
}
