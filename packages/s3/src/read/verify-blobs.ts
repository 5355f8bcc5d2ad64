import { MoteError, type MoteInfo, type VerifyOptions, type VerifyReport } from "@mote/core";
import type { QuarantineObjects } from "./quarantine-objects.js";

const defaultConcurrency = 4;

/** Downloads and hashes all blobs. */
export async function verifyBlobs(
  blobs: AsyncIterable<MoteInfo>,
  quarantine: QuarantineObjects,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { signal, concurrency = defaultConcurrency, keepDamaged = false, skip, onProgress } = options;
  const damaged: VerifyReport["damaged"][number][] = [];
  const failed: VerifyReport["failed"][number][] = [];
  let [motes, bytes] = [0, 0];
  const verify = async ({ digest, size }: MoteInfo): Promise<void> => {
    try {
      if (!(await quarantine.matchesDigest(digest, { signal })))
        damaged.push({ digest, size, ...(keepDamaged ? {} : { setAsideAs: await quarantine.move(digest) }) });
    } catch (error) {
      signal?.throwIfAborted();
      failed.push({ digest, reason: MoteError.isInstance(error) ? error.code : "MOTE_IO" });
    }
    motes++;
    bytes += size;
    onProgress?.({ digest, motes, bytes });
  };
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for await (const info of blobs) {
    if (skip?.(info.digest)) continue;
    const work = verify(info).catch((error: unknown) => void failures.push(error));
    running.add(work);
    work.finally(() => running.delete(work));
    if (running.size >= concurrency) await Promise.race(running);
    if (failures.length > 0) break;
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  return { motes, bytes, damaged, failed };
}
