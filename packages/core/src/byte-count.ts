/** @throws TypeError for a size or a position that is not a number of bytes */
export function assertByteCount(value: number | undefined): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
    throw new TypeError(`${value} is not a number of bytes`);
}
