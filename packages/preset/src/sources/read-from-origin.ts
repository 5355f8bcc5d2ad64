import type { BlobInfoCache, Cancellable, ContentSource, Logger, MoteCache, Ref, TagStore } from "@mote/core";
import type { Endpoints } from "../endpoints/endpoints.js";
import type { MoveOptions } from "../mote.js";
import type { Origin } from "../references/origin.js";
import { otherTag, type References } from "../references/references.js";
import { DigestSource } from "./digest-source.js";
import { assertNoBlob } from "./image-by-digest.js";
import { StoredFallback } from "./stored-fallback.js";

export interface ReadingOptions extends Cancellable, Pick<MoveOptions, "onEvent"> {
  /** The only platform that is wanted. */
  readonly platform: string | undefined;
  readonly cache: MoteCache;
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly endpoints: Endpoints;
  readonly references: References;
  readonly logger: Logger;
}

/**
 * Gives `move` the source of what is to be moved; once more where a registry failed before anything was moved, and the cache answers for
 * it. `warnings`: what was said meanwhile, for the report.
 */
export async function readFromOrigin<T>(
  from: Origin,
  options: ReadingOptions,
  move: (source: ContentSource, warn: (message: string, code?: string) => void) => Promise<T>,
): Promise<{ readonly report: T; readonly warnings: readonly string[] }> {
  const { cache, tags, bic, endpoints, references, platform, signal } = options;
  const warnings: string[] = [];
  const warn = (message: string, code?: string) => {
    // What is moved once more would be said once more.
    if (warnings.includes(message)) return;
    warnings.push(message);
    options.logger.warn(message);
    options.onEvent?.({ type: "warning", message, code });
  };
  if (typeof from === "string") {
    await assertNoBlob(cache, from, { signal });
    const open = (ref: Ref) => endpoints.source(ref);
    const { offline } = endpoints;
    return { report: await move(new DigestSource(from, { cache, bic, references, offline, open }), warn), warnings };
  }
  if (from.transport !== "docker") return { report: await move(await endpoints.source(from), warn), warnings };
  const nameOf = (tag: string) => references.nameInCache(otherTag(from, tag));
  const { fallbackAfterMs } = endpoints;
  const names = new StoredFallback({
    name: references.nameInCache(from),
    nameOf,
    cache,
    tags,
    platform,
    fallbackAfterMs,
    signal,
    warn,
  });
  const source = async () => names.around(endpoints.offline ? undefined : await endpoints.source(from), from);
  try {
    return { report: await move(await source(), warn), warnings };
  } catch (error) {
    if (!(await names.turnsToStored(error))) throw error;
    return { report: await move(await source(), warn), warnings };
  }
}
