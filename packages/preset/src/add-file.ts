import { createReadStream } from "node:fs";
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

function unreadable(path: string, cause: unknown): MoteError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ENOENT")
    return new MoteError("MOTE_NOT_FOUND", `there is no file ${path}`, { cause, details: { path } });
  return new MoteError("MOTE_IO", `${path} cannot be read: ${code === "EISDIR" ? "it is a folder" : code}`, {
    cause,
    details: { path },
  });
}
