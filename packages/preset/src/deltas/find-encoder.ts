import { type Cancellable, type Descriptor, NilCache } from "@mote/core";
import type { Replayed } from "@mote/delta";
import type { Parts } from "../parts.js";
import { knownEncoder, recordEncoder } from "../rebuild/known-encoder.js";
import type { RebuildQueue } from "../rebuild/rebuild-queue.js";
import { storedContent } from "../rebuild/stored-layer.js";

/** The first bytes of a layer from which encoders are chosen. */
const startBytes = 128 * 1024;

export interface FoundEncoder extends Replayed {
  /** The header of the layer's gzip stream; empty for other compressions. */
  readonly header: Uint8Array;
}

/** Returns the encoder that reproduces a stored layer from its content; undefined if none does. */
export async function findEncoder(
  layer: Descriptor,
  parts: Parts,
  { queue, onBytes, signal }: Cancellable & { readonly queue: RebuildQueue; readonly onBytes: (bytes: number) => void },
): Promise<FoundEncoder | undefined> {
  const { gzipHeaderOf, replay } = await import("@mote/delta");
  const { cache } = parts;
  const start = await startOf(layer, parts, { signal });
  const all = await queue.encoders();
  const known = await knownEncoder(parts, layer.digest, { signal });
  const encoders = all.toSorted((one, other) => Number(other.name === known) - Number(one.name === known));
  const content = storedContent(cache, layer.digest, { signal });
  // Only its digest matters, because the cache has the layer.
  const replayed = await replay({ wanted: layer, start, content, encoders, cache: new NilCache(), onBytes, signal });
  if (replayed === undefined) return undefined;
  await recordEncoder(parts, layer.digest, replayed);
  return { ...replayed, header: gzipHeaderOf(start) };
}

async function startOf({ digest, size }: Descriptor, { cache }: Parts, { signal }: Cancellable): Promise<Uint8Array> {
  await using reader = await cache.moteReader(digest, { end: Math.min(startBytes, size), countsAsUse: false, signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return Buffer.concat(chunks);
}
