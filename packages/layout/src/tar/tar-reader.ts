import { ByteReader } from "../disk/byte-reader.js";
import { invalidArchive } from "../disk/file-error.js";
import { blockBytes, paddedBytes } from "./tar-header.js";
import { type TarEntry, TarHeaders } from "./tar-headers.js";

export interface ContentEntry extends TarEntry {
  /** Must be read before the next entry, or not at all. */
  readonly content: EntryContent;
}

/** Yields an uncompressed tar's entries. @throws MOTE_INVALID_ARCHIVE if it is truncated · what `chunks` throws */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  location: string,
): AsyncGenerator<ContentEntry, void, undefined> {
  const bytes = new ByteReader(chunks);
  const headers = new TarHeaders(location);
  try {
    for (;;) {
      const block = await bytes.whole(blockBytes);
      if (block.byteLength === 0 && headers.mayEnd) return;
      if (block.byteLength < blockBytes) throw invalidArchive(location, "it is truncated");
      const entry = await headers.take(block);
      if (headers.hasEnded) {
        // Read completely, as it is counted and hashed.
        await bytes.skip(Number.POSITIVE_INFINITY);
        return;
      }
      if (entry === undefined) continue;
      const content = new EntryContent(bytes, entry, location);
      yield { ...entry, content };
      const rest = content.left + paddedBytes(entry.size) - entry.size;
      if ((await bytes.skip(rest)) < rest) throw content.cut();
    }
  } finally {
    headers.close();
    await bytes.close();
  }
}

/** The content of an entry, readable once. */
class EntryContent {
  readonly #bytes: ByteReader;
  readonly #name: string;
  readonly #location: string;
  #left: number;

  constructor(bytes: ByteReader, { name, size }: TarEntry, location: string) {
    this.#bytes = bytes;
    this.#name = name;
    this.#location = location;
    this.#left = size;
  }

  /** Unread bytes. */
  get left(): number {
    return this.#left;
  }

  /** Reads all of a small entry. @throws MOTE_INVALID_ARCHIVE if it is truncated */
  async whole(): Promise<Uint8Array> {
    const bytes = await this.#bytes.whole(this.#left);
    if (bytes.byteLength < this.#left) throw this.cut();
    this.#left = 0;
    return bytes;
  }

  /** @throws MOTE_INVALID_ARCHIVE if it is truncated */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#bytes.take(this.#left)) {
      this.#left -= chunk.byteLength;
      yield chunk;
    }
    if (this.#left > 0) throw this.cut();
  }

  cut() {
    return invalidArchive(
      this.#location,
      `${JSON.stringify(this.#name.slice(0, 200))} has more bytes than the archive, which was cut off; copy it again, with all its parts if it has several`,
    );
  }
}
