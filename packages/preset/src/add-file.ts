import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Cancellable, createDigester, type MoteCache, MoteError, type MoteInfo, mediaTypes } from "@mote/core";

const chunkBytes = 1024 * 1024;

/** Copies a file into the cache under the digest of its bytes. @throws MOTE_NOT_FOUND · MOTE_IO */
export async function addFile(cache: MoteCache, path: string, { signal }: Cancellable): Promise<MoteInfo> {
  const digester = createDigester();
  let size = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes, signal })) {
      digester.update(chunk);
      size += chunk.byteLength;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw unreadable(path, cause);
  }
  const digest = digester.digest();
  const mote = await cache.createMote(digest, mediaTypes.octetStream, size, { signal });
  await cache.commitMote(path, mote, "copy", { signal });
  return { digest, size, mediaType: mediaTypes.octetStream };
}

/** Takes a stream into the cache under the digest of its bytes, by way of a file in the system's temporary folder. @throws MOTE_IO · MOTE_NO_SPACE */
export async function addStream(
  cache: MoteCache,
  chunks: AsyncIterable<Uint8Array>,
  { signal }: Cancellable,
): Promise<MoteInfo> {
  const folder = await mkdtemp(join(tmpdir(), "mote-add-"));
  try {
    const path = join(folder, "bytes");
    const digester = createDigester();
    let size = 0;
    const watched = async function* () {
      for await (const chunk of chunks) {
        digester.update(chunk);
        size += chunk.byteLength;
        yield chunk;
      }
    };
    await pipeline(watched, createWriteStream(path), { signal });
    const digest = digester.digest();
    const mote = await cache.createMote(digest, mediaTypes.octetStream, size, { signal });
    await cache.commitMote(path, mote, "move", { signal });
    return { digest, size, mediaType: mediaTypes.octetStream };
  } catch (cause) {
    signal?.throwIfAborted();
    if (MoteError.isInstance(cause)) throw cause;
    const isFull = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
    const [code, advice] = isFull
      ? (["MOTE_NO_SPACE", "; make room in the temporary folder"] as const)
      : (["MOTE_IO", ""] as const);
    throw new MoteError(code, `the stream could not be kept: ${String(cause)}${advice}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function unreadable(path: string, cause: unknown): MoteError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ENOENT")
    return new MoteError("MOTE_NOT_FOUND", `there is no file ${path}`, { cause, details: { path } });
  return new MoteError("MOTE_IO", `${path} cannot be read: ${code === "EISDIR" ? "it is a folder" : code}`, {
    cause,
    details: { path },
  });
}
