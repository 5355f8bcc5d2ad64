import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Cancellable, createDigester, type Digest, MoteError } from "@mote/core";
import { writeFailed } from "../disk/file-error.js";
import { folderTarChunks } from "./artifact-tar.js";

export interface PackedFolder {
  readonly digest: Digest;
  readonly size: number;
  /** The digest of the uncompressed tar. */
  readonly contentDigest: Digest;
}

/** RFC 1952, 2.3: the tenth byte is the operating system, which does not matter here. */
const systemAt = 9;
const unknownSystem = 255;

/** Packs a folder as a compressed tar into the new file `target`. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_UNWRITABLE · MOTE_NO_SPACE */
export async function packFolder(
  dir: string,
  title: string,
  target: string,
  { signal }: Cancellable,
): Promise<PackedFolder> {
  const plain = createDigester();
  const packed = createDigester();
  let size = 0;
  try {
    await pipeline(
      async function* () {
        for await (const chunk of folderTarChunks(dir, title, { signal })) {
          plain.update(chunk);
          yield chunk;
        }
      },
      createGzip({ chunkSize: 128 * 1024 }),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          if (size <= systemAt && size + chunk.byteLength > systemAt) chunk[systemAt - size] = unknownSystem;
          packed.update(chunk);
          size += chunk.byteLength;
          yield chunk;
        }
      },
      createWriteStream(target, { flags: "wx", mode: 0o600 }),
      ...(signal ? [{ signal }] : []),
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw MoteError.isInstance(error) ? error : writeFailed(error, target);
  }
  return { digest: packed.digest(), size, contentDigest: plain.digest() };
}
