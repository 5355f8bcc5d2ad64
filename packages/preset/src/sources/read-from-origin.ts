import type { BlobInfoCache, Cancellable, ContentSource, Logger, MoteCache, Ref, TagStore } from "@mote/core";
import type { TransferReport } from "@mote/transfer";
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

/** Calls `move` with the source; again with the cache if a registry failed before anything was moved. Adds the warnings of the reading to the report. */
export async function readFromOrigin(
  from: Origin,
  options: ReadingOptions,
  move: (source: ContentSource, warn: (message: string, code?: string) => void) => Promise<TransferReport>,
): Promise<TransferReport> {
  const { cache, tags, bic, endpoints, references, platform, signal } = options;
  const warnings: string[] = [];
  const warn = (message: string, code?: string) => {
    // What is moved once more would be said once more.
    if (warnings.includes(message)) return;
    warnings.push(message);
    options.logger.warn(message);
    options.onEvent?.({ type: "warning", message, code });
  };
  const moveFrom = async (source: ContentSource): Promise<TransferReport> => {
    const report = await move(source, warn);
    return { ...report, warnings: [...warnings, ...report.warnings] };
  };
  if (typeof from === "string") {
    await assertNoBlob(cache, from, { signal });
    const open = (ref: Ref) => endpoints.source(ref);
    const { offline } = endpoints;
    return moveFrom(new DigestSource(from, { cache, bic, references, offline, open }));
  }
  if (from.transport !== "docker") return moveFrom(await endpoints.source(from));
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
    return await moveFrom(await source());
  } catch (error) {
    if (!(await names.turnsToStored(error))) throw error;
    return moveFrom(await source());
  }
}
