import { type Cancellable, type ContentSource, hasCode, type Ref } from "@mote/core";
import { compareVersions } from "../patterns/version-order.js";
import { createdMs } from "./created.js";
import type { SyncOptions } from "./types.js";

type NewestOptions = NonNullable<SyncOptions["newest"]> & Cancellable;

/** Requests at once for the times of images. */
const requestsAtOnce = 8;

/** Returns the newest of the tags, by their version or by the time in the image's config, in alphabetical order. @throws what the source throws */
export async function newestTags(
  source: ContentSource,
  ref: Ref,
  tags: readonly string[],
  { count, by, signal }: NewestOptions,
): Promise<readonly string[]> {
  if (by === "version") return [...tags].sort(compareVersions).slice(-count).sort();
  const times = await timesOfTags(source, tags, (tag) => ({ ...ref, tag }), { signal });
  const byTime = (a: string, b: string) => (times.get(a) ?? 0) - (times.get(b) ?? 0) || compareVersions(a, b);
  return [...tags].sort(byTime).slice(-count).sort();
}

/** Returns when the images of tags were created, in Unix milliseconds; 0 if that is unknown. @throws what the source throws */
export async function timesOfTags(
  source: ContentSource,
  tags: readonly string[],
  refOf: (tag: string) => Ref,
  { signal }: Cancellable,
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  const queue = tags[Symbol.iterator]();
  const work = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      const ms = createdMs(source, refOf(next.value), { signal }).catch((error: unknown) => {
        if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_INVALID_MANIFEST", "MOTE_TOO_LARGE")) return 0;
        throw error;
      });
      times.set(next.value, await ms);
    }
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, work));
  return times;
}
