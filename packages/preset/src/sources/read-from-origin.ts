import type { Cancellable, ContentSource, RegistryRef } from "@mote/core";
import type { MoveOptions } from "../mote.js";
import type { Parts } from "../parts.js";
import type { Origin } from "../references/origin.js";
import { digestSource } from "./digest-source.js";
import { assertNoBlob } from "./image-by-digest.js";
import { storedFallback } from "./stored-fallback.js";
import { StoredImage } from "./stored-image.js";

export interface ReadingOptions extends Cancellable, Pick<MoveOptions, "onEvent"> {
  /** The platform to read. Default: all. */
  readonly platform: string | undefined;
  /** Do not contact the registry if the cache has the complete image. */
  readonly preferCached?: boolean | undefined;
}

/** Calls `read` with the source, and again with the cache if a registry failed before anything was moved. Adds warnings to the result. */
export async function readFromOrigin<Result extends { readonly warnings: readonly string[] }>(
  from: Origin,
  parts: Parts,
  options: ReadingOptions,
  read: (source: ContentSource, warn: (message: string, code?: string) => void) => Promise<Result>,
): Promise<Result> {
  const { cache, endpoints, logger } = parts;
  const { platform, signal } = options;
  const warnings: string[] = [];
  const warn = (message: string, code?: string) => {
    // The second attempt would repeat these warnings.
    if (warnings.includes(message)) return;
    warnings.push(message);
    logger.warn(message);
    options.onEvent?.({ type: "warning", message, code });
  };
  const readFrom = async (source: ContentSource): Promise<Result> => {
    const result = await read(source, warn);
    return { ...result, warnings: [...warnings, ...result.warnings] };
  };
  if (typeof from === "string") {
    await assertNoBlob(cache, from, { signal });
    return readFrom(digestSource(from, parts));
  }
  if (from.transport !== "docker") return readFrom(await endpoints.source(from));
  const stored = storedFallback(from, parts, { platform, signal, warn });
  const isLocal =
    endpoints.offline || (options.preferCached === true && (await isStored(from, parts, { platform, signal })));
  const source = async () => stored.around(isLocal ? undefined : await endpoints.source(from));
  try {
    return await readFrom(await source());
  } catch (error) {
    if (!(await stored.turnsToStored(error))) throw error;
    return readFrom(await source());
  }
}

async function isStored(
  from: RegistryRef,
  { cache, references, tags }: Parts,
  { platform, signal }: Pick<ReadingOptions, "platform" | "signal">,
): Promise<boolean> {
  const descriptor = await tags.resolve(references.nameInCache(from), { signal });
  return descriptor !== undefined && (await new StoredImage(cache, descriptor, platform).isComplete({ signal }));
}
