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

interface Compressing extends NodeJS.ReadWriteStream {
  flush(kind: number, done: () => void): void;
  destroy(): void;
}

interface Library {
  readonly constants: Readonly<
    Record<`ZSTD_c_${"compressionLevel" | "windowLog" | "hashLog" | "chainLog"}` | "ZSTD_e_end", number>
  >;
  createZstdCompress(options: object): Compressing;
}

/** Compresses one stream after another with zstd: by Node if possible (22.15 and later), else by WebAssembly, which takes more memory. */
export class ZstdCompressor {
  /** Its memory is used for all streams: glibc would keep that of each for the thread that happened to allocate it. */
  #compressing: Compressing | undefined;

  /** A chunk of content is compressed, in another thread, while the next one is read: its memory must not be reused. */
  async *compress(
    content: AsyncIterable<Uint8Array>,
    options: Cancellable,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (!("createZstdCompress" in zlib)) {
      yield* encodeStandardZstd(content, options);
      return;
    }
    const library = zlib as unknown as Library;
    const compressing = this.#compressing ?? create(library);
    this.#compressing = undefined;
    const output: Uint8Array[] = [];
    const add = (chunk: Uint8Array) => output.push(chunk);
    compressing.on("data", add);
    try {
      let writing: Promise<void> | undefined;
      for await (const chunk of content) {
        await writing;
        writing = ended(compressing, (done) => compressing.write(chunk, done));
        // Awaited later.
        writing.catch(() => {});
        yield* output.splice(0);
      }
      await writing;
      await ended(compressing, (done) => compressing.flush(library.constants.ZSTD_e_end, done));
      yield* output;
      compressing.off("data", add);
      this.#compressing = compressing;
    } finally {
      if (this.#compressing === undefined) compressing.destroy();
    }
  }
}

function create({ constants, createZstdCompress }: Library): Compressing {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: windowLog,
    [constants.ZSTD_c_hashLog]: hashLog,
    [constants.ZSTD_c_chainLog]: chainLog,
  };
  return createZstdCompress({ chunkSize: 256 * 1024, params });
}

/** Waits for an operation of a stream. @throws the error of the stream */
function ended(stream: Compressing, begin: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    begin((error) => {
      stream.off("error", reject);
      if (error) reject(error);
      else resolve();
    });
  });
}
