import { type Cancellable, MoteError } from "@mote/core";
import { type Extract, extract, type Header } from "tar-stream";
import { blockBytes, invalidArchive, paddedBytes } from "./tar-header.js";

/** Records of an extended header, more than any tool writes. They are copied for every entry. */
const maxPaxRecords = 512;

/** What an archive says of one of its entries. */
export interface TarEntry {
  readonly name: string;
  readonly type: "file" | "folder" | "link" | "hard-link" | "other";
  /** Bytes of content. */
  readonly size: number;
  /** Where a link leads: a symbolic one from its own folder, a hard one from the archive's top. */
  readonly linkName: string;
  /** Permission bits. */
  readonly mode: number;
  /** Where its content begins in the archive. */
  readonly offset: number;
}

export interface ContentEntry extends TarEntry {
  /** To be read before the next entry is asked for, or not at all. */
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * The entries of an uncompressed tar, one after the other. What tar-stream takes and we do not is refused here: sizes that are
 * not numbers, sparse files, an archive without an end.
 * @throws MOTE_INVALID_ARCHIVE, and what `chunks` throws
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  place: string,
  { signal }: Cancellable = {},
): AsyncGenerator<ContentEntry, void, undefined> {
  const parser = newParser();
  const feed = new Feed(parser);
  const feeding = feed.run(chunks);
  const failed = (error: unknown): unknown => {
    const cause = feed.failure ? feed.failure.error : error;
    return MoteError.isInstance(cause) || signal?.aborted ? cause : invalidArchive(place, describe(cause));
  };
  let end = 0;
  try {
    for await (const source of parser) {
      const entry = entryOf(source.header, source.offset, place);
      end = entry.offset + (source.header.type === "directory" ? 0 : paddedBytes(entry.size));
      yield { ...entry, content: contentOf(source as AsyncIterable<Uint8Array>, failed) };
      source.resume();
    }
    assertEnd(end, feed.bytes, place);
  } catch (error) {
    throw failed(error);
  } finally {
    parser.destroy();
    await feeding;
  }
}

async function* contentOf(
  source: AsyncIterable<Uint8Array>,
  failed: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* source;
  } catch (error) {
    throw failed(error);
  }
}

export function newParser(): Extract {
  // Formats without a magic are those of before 1988, which differ in nothing else that is read here.
  return extract({ allowUnknownFormat: true, highWaterMark: 1 } as { highWaterMark: number });
}

/** @throws MOTE_INVALID_ARCHIVE */
export function entryOf(header: Header, headerOffset: number, place: string): TarEntry {
  const { name, size, mode, linkname, pax } = header;
  const shown = JSON.stringify(name.slice(0, 200));
  const records = Object.entries(pax ?? {});
  if (records.length > maxPaxRecords) throw invalidArchive(place, `${shown} has more than ${maxPaxRecords} attributes`);
  for (const [key, value] of records) {
    if (key.startsWith("GNU.sparse")) throw invalidArchive(place, `${shown} is a sparse file, which is not supported`);
    if (key === "size" && !/^\d+$/.test(String(value)))
      throw invalidArchive(place, `the size of ${shown} is not valid`);
  }
  if (!Number.isSafeInteger(size) || size < 0) throw invalidArchive(place, `the size of ${shown} is not valid`);
  const offset = headerOffset + blockBytes;
  return { name, size, mode, linkName: linkname ?? "", offset, type: types[String(header.type)] ?? "other" };
}

/** An archive that was cut between two entries is complete for tar-stream. @throws MOTE_INVALID_ARCHIVE */
function assertEnd(lastEntryEnd: number, bytes: number, place: string): void {
  if (bytes < lastEntryEnd + blockBytes) throw invalidArchive(place, "it ends too early");
}

/** tar-stream's types do not say that the type of an unknown flag is null. */
const types: Readonly<Record<string, TarEntry["type"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "folder",
  symlink: "link",
  link: "hard-link",
};

function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes("Unexpected end")) return "it ends too early";
  if (message.includes("exceeds max size")) return "an extended header is too large";
  return `it is damaged (${message.slice(0, 200)})`;
}

/** Writes chunks to the parser, no faster than it takes them. */
export class Feed {
  readonly #parser: Extract;
  #wake: (() => void) | undefined;
  #bytes = 0;
  /** What the chunks ended with, where they did not just end. */
  failure: { readonly error: unknown } | undefined;

  constructor(parser: Extract) {
    this.#parser = parser;
    const wake = () => this.#wake?.();
    parser.on("drain", wake).on("close", wake);
    parser.on("error", () => {});
  }

  /** How many have been written. */
  get bytes(): number {
    return this.#bytes;
  }

  async run(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of chunks) {
        await this.write(chunk);
        if (this.#parser.destroyed) return;
      }
      this.#parser.end(null);
    } catch (error) {
      this.failure = { error };
      this.#parser.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.byteLength;
    if (this.#parser.destroyed || this.#parser.write(chunk)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
