import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Cancellable, createDigester, type Descriptor, errorCode, type MoteCache, MoteError } from "@mote/core";

export interface StoreDiffOptions extends Cancellable {
  /** A folder for the file that is written first. */
  readonly dir: string;
  readonly mediaType: string;
  /** A diff of this size or more is not stored. */
  readonly below: number;
}

/** Stores a stream in the cache under the digest of its bytes. Returns undefined if it is too large. @throws MOTE_IO · MOTE_NO_SPACE */
export async function storeDiff(
  cache: MoteCache,
  chunks: AsyncIterable<Uint8Array>,
  { dir, mediaType, below, signal }: StoreDiffOptions,
): Promise<Descriptor | undefined> {
  const path = join(dir, "diff");
  const digester = createDigester();
  let size = 0;
  async function* counted() {
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      if (size >= below) return;
      digester.update(chunk);
      yield chunk;
    }
  }
  try {
    await pipeline(counted, createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal });
    if (size >= below) return undefined;
    const digest = digester.digest();
    const mote = await cache.createMote(digest, mediaType, size, { signal });
    await cache.commitMote(path, mote, "move", { signal });
    return { digest, size, mediaType };
  } catch (cause) {
    signal?.throwIfAborted();
    if (MoteError.isInstance(cause)) throw cause;
    const isFull = errorCode(cause) === "ENOSPC";
    const message = `cannot write the delta to ${path}: ${String(cause)}${isFull ? "; free disk space there" : ""}`;
    throw new MoteError(isFull ? "MOTE_NO_SPACE" : "MOTE_IO", message, { cause, details: { path } });
  } finally {
    await rm(path, { force: true });
  }
}
