import type { Cancellable, ContentSource } from "@mote/core";
import type { TransferReport } from "@mote/transfer";
import type { MoveOptions } from "../mote.js";
import type { Parts } from "../parts.js";
import type { Origin } from "../references/origin.js";
import { DigestSource } from "./digest-source.js";
import { assertNoBlob } from "./image-by-digest.js";
import { StoredFallback } from "./stored-fallback.js";

export interface ReadingOptions extends Cancellable, Pick<MoveOptions, "onEvent"> {
  /** The only platform that is wanted. */
  readonly platform: string | undefined;
}

/** Calls `move` with the source; again with the cache if a registry failed before anything was moved. Adds the warnings of the reading to the report. */
export async function readFromOrigin(
  from: Origin,
  parts: Parts,
  options: ReadingOptions,
  move: (source: ContentSource, warn: (message: string, code?: string) => void) => Promise<TransferReport>,
): Promise<TransferReport> {
  const { cache, endpoints, logger } = parts;
  const { platform, signal } = options;
  const warnings: string[] = [];
  const warn = (message: string, code?: string) => {
    // What is moved once more would be said once more.
    if (warnings.includes(message)) return;
    warnings.push(message);
    logger.warn(message);
    options.onEvent?.({ type: "warning", message, code });
  };
  const moveFrom = async (source: ContentSource): Promise<TransferReport> => {
    const report = await move(source, warn);
    return { ...report, warnings: [...warnings, ...report.warnings] };
  };
  if (typeof from === "string") {
    await assertNoBlob(cache, from, { signal });
    return moveFrom(new DigestSource(from, parts));
  }
  if (from.transport !== "docker") return moveFrom(await endpoints.source(from));
  const stored = new StoredFallback(from, parts, { platform, signal, warn });
  const source = async () => stored.around(endpoints.offline ? undefined : await endpoints.source(from));
  try {
    return await moveFrom(await source());
  } catch (error) {
    if (!(await stored.turnsToStored(error))) throw error;
    return moveFrom(await source());
  }
}
