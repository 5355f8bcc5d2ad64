import {
  CacheError,
  type Cancellable,
  type Descriptor,
  fetchIntoCache,
  hasCode,
  LayerLocator,
  NilCache,
} from "@mote/core";
import type { TransferEvent } from "@mote/transfer";
import type { ImageContent } from "../inspection/image-content.js";
import type { Parts } from "../parts.js";

export interface FetchLayerOptions extends Cancellable {
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
}

/**
 * Yields a verified layer: from the cache, or from a local source in place. A layer of a registry is fetched into the cache first, so that it
 * is complete and verified before any of it is used, and is not fetched again.
 */
export async function* layerBytes(
  content: ImageContent,
  layer: Descriptor,
  parts: Parts,
  options: FetchLayerOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { cache } = parts;
  const { signal } = options;
  const isCached = await cache.moteExists(layer.digest, { signal });
  if (isCached || (!content.isLocal && (await isFetched(content, layer, parts, options)))) {
    await using reader = await cache.moteReader(layer.digest, { signal });
    yield* reader;
    return;
  }
  await using reader = await content.source.blob(layer, { signal });
  yield* reader;
}

/** Fetches a layer into the cache. Returns false if the cache cannot be written. */
async function isFetched(
  content: ImageContent,
  layer: Descriptor,
  { bic, cache, references, logger }: Parts,
  { onEvent, signal = new AbortController().signal }: FetchLayerOptions,
): Promise<boolean> {
  if (cache instanceof NilCache) return false;
  const { digest, size, mediaType } = layer;
  const { source } = content;
  onEvent?.({ type: "start", digest, size, mediaType });
  try {
    await fetchIntoCache({
      async *sources() {
        yield source;
      },
      onSwitch: () => {},
      cache,
      descriptor: layer,
      signal,
      onEvent: (event) => event.type !== "resume" && onEvent?.(event),
      begin: () => undefined,
      onBytes: (bytes) => onEvent?.({ type: "progress", digest, size, bytes }),
      onReceived: () => {},
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof CacheError) || hasCode(error.cause, "MOTE_CORRUPT")) throw error;
    logger.warn(`cannot store ${digest} in the cache; reading it from its source`);
    return false;
  }
  onEvent?.({ type: "done", digest, size, delivery: "fetched" });
  const ref = source.servedBy === undefined ? source.ref : source.servedBy(layer);
  if (ref !== undefined) {
    const locator = new LayerLocator(bic, references.absoluteCodec);
    await locator
      .recordLayerSource(layer, ref)
      .catch((error: unknown) => logger.debug("cannot record a layer", { error }));
  }
  return true;
}
