import {
  type Cancellable,
  createDigester,
  type Digest,
  digestAlgorithm,
  hasCode,
  type Mote,
  MoteError,
  type MoteStore,
  writeMote,
} from "@mote/core";
import type { Encoder } from "./encoder.js";
import { encodeLike, matchesStart, readStart } from "./match-start.js";

/** Parallel compressors write nothing before they have read 1 MiB. */
const startBytes = 2 * 1024 * 1024;
/** How many encoders may compress everything, as several may begin alike. */
const maxAttempts = 3;
/** The largest content: this many times the size of the blob, */
const maxExpansion = 16;
/** and this many bytes. */
const moreBytes = 16 * 1024 * 1024;

export interface ReplayOptions extends Cancellable {
  /** The blob to make. */
  readonly wanted: Mote & { readonly size: number };
  /** Its first bytes, from which the encoders are chosen; at least 256, unless it is smaller. */
  readonly start: Uint8Array;
  /** Opens the uncompressed content. Called for each attempt. */
  readonly content: () => AsyncIterable<Uint8Array>;
  /** The encoders to try, the likeliest first. */
  readonly encoders: readonly Encoder[];
  /** Where the blob is written, which verifies it. */
  readonly cache: MoteStore;
  /** The least rate in bytes of the blob per second at which an encoder must make its start to be used. Default 0. */
  readonly minBytesPerSecond?: number | undefined;
  /** Called with the number of bytes of the blob that have been made; starts again with each attempt. An error that it throws ends the replay. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

export interface Replayed {
  /** The name of the encoder. */
  readonly encoder: string;
  /** The digest of the uncompressed content, by the algorithm of the blob's digest. */
  readonly contentDigest: Digest;
}

/**
 * Makes a blob from its uncompressed content, with the encoder that reproduces it bit by bit. Returns undefined if none does, or it is too
 * slow; then nothing is written.
 * @throws what the content, the encoders and the cache throw
 */
export async function replay(options: ReplayOptions): Promise<Replayed | undefined> {
  const { content, start, encoders, wanted, minBytesPerSecond = 0 } = options;
  const possible = encoders.filter((encoder) => encoder.probe(start));
  if (possible.length === 0) return undefined;
  const contentStart = await readStart(boundedContent(content(), wanted), startBytes);
  let attempts = 0;
  for (const encoder of possible) {
    const startedMs = performance.now();
    if (!(await matchesStart(encoder, contentStart, start, options))) continue;
    const seconds = (performance.now() - startedMs) / 1000;
    if (start.byteLength < minBytesPerSecond * seconds) return undefined;
    const replayed = await replayWith(encoder, options);
    if (replayed !== undefined || ++attempts === maxAttempts) return replayed;
  }
  return undefined;
}

/** Makes a blob with one encoder. Returns undefined if its output is another one. @throws as `replay` */
export async function replayWith(
  encoder: Encoder,
  { wanted, start, content, cache, onBytes, signal }: Omit<ReplayOptions, "encoders" | "minBytesPerSecond">,
): Promise<Replayed | undefined> {
  const digester = createDigester(digestAlgorithm(wanted.digest));
  async function* hashed() {
    for await (const chunk of boundedContent(content(), wanted)) {
      digester.update(chunk);
      yield chunk;
    }
  }
  async function* counted() {
    let bytes = 0;
    for await (const chunk of encodeLike(start, encoder, hashed(), { signal })) {
      bytes += chunk.byteLength;
      onBytes?.(bytes);
      yield chunk;
    }
  }
  try {
    await writeMote(cache, wanted, counted(), { signal });
  } catch (error) {
    if (hasCode(error, "MOTE_DIGEST_MISMATCH", "MOTE_SIZE_MISMATCH")) return undefined;
    throw error;
  }
  return { encoder: encoder.name, contentDigest: digester.digest() };
}

/** Returns the bytes of content that a blob of this size in bytes plausibly has at most. */
export function maxContentBytes(size: number): number {
  return maxExpansion * size + moreBytes;
}

/** Limits content to what a layer of that size plausibly has, because a small blob can expand to a very large one. */
async function* boundedContent(
  content: AsyncIterable<Uint8Array>,
  { digest, size }: ReplayOptions["wanted"],
): AsyncGenerator<Uint8Array, void, undefined> {
  const maxBytes = maxContentBytes(size);
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new MoteError("MOTE_TOO_LARGE", `the content of ${digest} has more than ${maxBytes} bytes`, {
        details: { digest, maxBytes },
      });
    }
    yield chunk;
  }
}
