import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Cancellable, MoteError } from "@mote/core";
import { readChunks } from "./chunks.js";
import { writeFailed } from "./file-error.js";
import type { OpenedFile } from "./named-files.js";
import { invalidArchive } from "./tar-header.js";
import { writeWholeFile } from "./whole-file.js";

/** A gzip has no places to jump to, so it is uncompressed into a temporary folder, once; disposing of it takes that away. */
export class UncompressedArchive implements AsyncDisposable {
  readonly path: string;
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
    this.path = join(dir, "archive.tar");
  }

  /** @throws MOTE_INVALID_ARCHIVE where it is damaged · MOTE_NO_SPACE · MOTE_IO */
  static async from(file: OpenedFile, place: string, options: Cancellable): Promise<UncompressedArchive> {
    const dir = await mkdtemp(join(tmpdir(), "mote-")).catch((error: unknown) => {
      throw writeFailed(error, tmpdir());
    });
    const archive = new UncompressedArchive(dir);
    try {
      const temporary = `${archive.path}.part`;
      await writeWholeFile(archive.path, gunzipped(file, place, options.signal), { temporary, ...options });
      return archive;
    } catch (error) {
      await archive[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** A file's bytes, uncompressed. @throws MOTE_INVALID_ARCHIVE */
export async function* gunzipped(
  file: OpenedFile,
  place: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: 1024 * 1024 });
  // Failures of reading and of uncompressing both end the iteration below.
  pipeline(Readable.from(readChunks(file, 0, place, signal)), gunzip, () => {});
  try {
    for await (const chunk of gunzip) yield chunk;
  } catch (error) {
    signal?.throwIfAborted();
    throw MoteError.isInstance(error) ? error : invalidArchive(place, `its gzip is damaged (${String(error)})`);
  }
}
