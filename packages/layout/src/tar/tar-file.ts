import type { Cancellable } from "@mote/core";
import { readChunks } from "../disk/chunks.js";
import { type OpenedFile, openFile } from "../disk/opened-file.js";
import { blockBytes, paddedBytes, writeTarHeader } from "./tar-header.js";

/** A file of an archive: bytes, a file on disk, or a range of one, which is closed after use. */
export type TarContent =
  | { readonly bytes: Uint8Array }
  | { readonly path: string }
  | { readonly open: () => Promise<OpenedFile>; readonly path: string };

/** Yields a tar of these files in order, each after its folders. The same files give the same bytes. */
export async function* tarChunks(
  files: ReadonlyMap<string, TarContent>,
  { signal }: Cancellable,
): AsyncGenerator<Uint8Array, void, undefined> {
  const folders = new Set<string>();
  for (const [name, content] of files) {
    for (let slash = name.indexOf("/"); slash > 0; slash = name.indexOf("/", slash + 1)) {
      const folder = name.slice(0, slash + 1);
      if (!folders.has(folder)) yield writeTarHeader(folder, 0, "folder");
      folders.add(folder);
    }
    if ("bytes" in content) yield* padded(name, content.bytes.byteLength, [content.bytes]);
    else yield* fileChunks(name, content, signal);
  }
  yield new Uint8Array(2 * blockBytes);
}

async function* fileChunks(
  name: string,
  content: Exclude<TarContent, { readonly bytes: Uint8Array }>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = "open" in content ? await content.open() : await openFile(content.path);
  try {
    yield* padded(name, file.size, readChunks(file, 0, content.path, signal));
  } finally {
    await file.handle.close();
  }
}

async function* padded(
  name: string,
  size: number,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield writeTarHeader(name, size, "file");
  yield* chunks;
  yield new Uint8Array(paddedBytes(size) - size);
}
