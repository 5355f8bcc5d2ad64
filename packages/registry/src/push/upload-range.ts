/** Returns how many bytes a response says that the registry has: `Range: 0-N` with N the last byte; `0-0` means none. Undefined without one. */
export function reportedBytes(range: string | undefined): number | undefined {
  const last = /^\s*(?:bytes\s*[= ]\s*)?0-(\d+)\s*(?:\/.*)?$/i.exec(range ?? "")?.[1];
  if (last === undefined) return undefined;
  return Number(last) === 0 ? 0 : Number(last) + 1;
}

/**
 * Returns where an upload continues after a chunk. `Range` counts only within the chunk: some registries repeat the first chunk's (ECR), tell only
 * the last one's (Aliyun), or count the bytes (zuul-registry). A wrong guess shows in the digest.
 */
export function offsetAfter(range: string | undefined, start: number, end: number): number {
  const reported = reportedBytes(range);
  const isPart = reported !== undefined && reported > start && reported < end - 1;
  return isPart ? reported : end;
}
