/** POSIX pax: `LENGTH KEY=VALUE\n`. Returns the records up to the first that is not valid; of equal keys the last. */
export function readPaxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.byteLength; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : Buffer.from(bytes.subarray(at, Math.min(space, at + 8))).toString("latin1");
    const length = /^[0-9]{1,7}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (end > bytes.byteLength || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a) break;
    const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString("utf8");
    records.set(text(space + 1, equals), text(equals + 1, end - 1));
    at = end;
  }
  return records;
}
