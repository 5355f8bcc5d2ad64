import { constants, createWriteStream, type Stats } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  type Cancellable,
  createDigester,
  errorCode,
  isAbsent,
  type MoteCache,
  MoteError,
  type MoteInfo,
  mediaTypes,
} from "@mote/core";

const chunkBytes = 1024 * 1024;

/** Copies a regular file into the cache under the digest of its bytes. @throws MOTE_NOT_FOUND · MOTE_IO */
export async function addFile(cache: MoteCache, path: string, { signal }: Cancellable): Promise<MoteInfo> {
  const digester = createDigester();
  let size = 0;
  try {
    // Without O_NONBLOCK, opening a FIFO blocks. Windows has neither.
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw notRegular(path, stats);
      // The stream also closes the handle.
      for await (const chunk of handle.createReadStream({ highWaterMark: chunkBytes, signal })) {
        digester.update(chunk);
        size += chunk.byteLength;
      }
    } finally {
      await handle.close();
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw MoteError.isInstance(cause) ? cause : unreadable(path, cause);
  }
  const digest = digester.digest();
  const mote = await cache.createMote(digest, mediaTypes.octetStream, size, { signal });
  await cache.commitMote(path, mote, "copy", { signal });
  return { digest, size, mediaType: mediaTypes.octetStream };
}

/** Adds a stream to the cache under the digest of its bytes, buffered in the temporary folder. @throws MOTE_IO · MOTE_NO_SPACE */
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
    await pipeline(watched, createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal });
    const digest = digester.digest();
    const mote = await cache.createMote(digest, mediaTypes.octetStream, size, { signal });
    await cache.commitMote(path, mote, "move", { signal });
    return { digest, size, mediaType: mediaTypes.octetStream };
  } catch (cause) {
    signal?.throwIfAborted();
    if (MoteError.isInstance(cause)) throw cause;
    const isFull = errorCode(cause) === "ENOSPC";
    const advice = isFull ? "; free disk space in the temporary folder" : "";
    const message = `cannot add the stream: ${String(cause)}${advice}`;
    throw new MoteError(isFull ? "MOTE_NO_SPACE" : "MOTE_IO", message, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function notRegular(path: string, stats: Stats): MoteError {
  const kind = stats.isDirectory() ? "a directory" : stats.isFIFO() ? "a FIFO" : "a device";
  const advice = stats.isDirectory()
    ? "add its files one by one, or mote push it as an artifact"
    : "read it through stdin, as -";
  return new MoteError("MOTE_IO", `cannot add ${path}: it is ${kind}, not a regular file; ${advice}`, {
    details: { path },
  });
}

function unreadable(path: string, cause: unknown): MoteError {
  if (isAbsent(cause)) {
    const message = `cannot add ${path}: it does not exist; check the path`;
    return new MoteError("MOTE_NOT_FOUND", message, { cause, details: { path } });
  }
  // open(2): the error for a socket.
  const isDevice = errorCode(cause) === "ENXIO";
  const reason = isDevice ? "it is a socket or a device, not a regular file" : (errorCode(cause) ?? String(cause));
  return new MoteError("MOTE_IO", `cannot add ${path}: ${reason}`, { cause, details: { path } });
}
