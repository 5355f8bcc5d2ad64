/** Checks a size or position in bytes. @throws TypeError */
export function assertByteCount(value: number | undefined): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
    throw new TypeError(`${value} is not a number of bytes`);
}
