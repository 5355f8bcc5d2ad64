/**
 * Returns how many bytes a response says that the registry has: `Range: 0-N`, where N is the last byte. `0-0` means none, as Distribution
 * writes it. Undefined if the response does not say.
 */
export function reportedBytes(range: string | undefined): number | undefined {
  const last = /^\s*(?:bytes\s*[= ]\s*)?0-(\d+)\s*(?:\/.*)?$/i.exec(range ?? "")?.[1];
  if (last === undefined) return undefined;
  return Number(last) === 0 ? 0 : Number(last) + 1;
}

/**
 * Returns where an upload continues after a chunk that the registry took. Its `Range` counts only within the chunk, where it means that a
 * part was taken: some registries repeat the first chunk's (ECR), tell the last chunk's alone (Aliyun), or count the bytes (zuul-registry).
 * A wrong guess shows in the digest.
 */
export function offsetAfter(range: string | undefined, start: number, end: number): number {
  const reported = reportedBytes(range);
  const isPart = reported !== undefined && reported > start && reported < end - 1;
  return isPart ? reported : end;
}
