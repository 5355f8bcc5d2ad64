import { pipeline, Readable } from "node:stream";
import zlib from "node:zlib";
import type { Cancellable } from "@mote/core";
import { encodeStandardZstd } from "../go-encoders.js";

/** The best one that does not need much more memory. */
const level = 18;
/** Limits the memory of writers and readers: windows of 8 MiB. */
const windowLog = 23;
/** Half of the level's own tables: 36 MB less memory, and 0.1 % more bytes. */
const hashLog = 20;
const chainLog = 21;

interface Library {
  readonly constants: Readonly<Record<`ZSTD_c_${"compressionLevel" | "windowLog" | "hashLog" | "chainLog"}`, number>>;
  createZstdCompress(options: object): NodeJS.ReadWriteStream & AsyncIterable<Uint8Array>;
}

/** Compresses with zstd, by Node if possible (22.15 and later), else by WebAssembly, which takes more memory. */
export async function* compressZstd(
  content: AsyncIterable<Uint8Array>,
  options: Cancellable,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!("createZstdCompress" in zlib)) {
    yield* encodeStandardZstd(content, options);
    return;
  }
  const { constants, createZstdCompress } = zlib as unknown as Library;
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: windowLog,
    [constants.ZSTD_c_hashLog]: hashLog,
    [constants.ZSTD_c_chainLog]: chainLog,
  };
  const compressing = createZstdCompress({ chunkSize: 256 * 1024, params });
  // Errors of the content end the output's iteration, too.
  pipeline(Readable.from(content), compressing, () => {});
  yield* compressing;
}
