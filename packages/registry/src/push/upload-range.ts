/** Returns how many bytes the registry has: `Range: 0-N` with N the last byte; `0-0` means none. Undefined without the header. */
export function reportedBytes(range: string | undefined): number | undefined {
  const last = /^\s*(?:bytes\s*[= ]\s*)?0-(\d+)\s*(?:\/.*)?$/i.exec(range ?? "")?.[1];
  if (last === undefined) return undefined;
  return Number(last) === 0 ? 0 : Number(last) + 1;
}

/**
 * Returns where an upload continues after a chunk. `Range` counts only within the chunk: some registries repeat the first (ECR),
 * report only the last (Aliyun), or count bytes (zuul-registry). A wrong guess fails the digest check.
 */
export function offsetAfter(range: string | undefined, start: number, end: number): number {
  const reported = reportedBytes(range);
  const isPart = reported !== undefined && reported > start && reported < end - 1;
  return isPart ? reported : end;
}
