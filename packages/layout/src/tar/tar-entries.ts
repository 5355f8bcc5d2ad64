import { posix } from "node:path";
import type { Cancellable } from "@mote/core";
import { invalidArchive, readFailed } from "../disk/file-error.js";
import type { ReadHandle } from "../disk/opened-file.js";
import { cleanName } from "./entry-name.js";
import { blockBytes, paddedBytes } from "./tar-header.js";
import { type TarEntry, TarHeaders } from "./tar-headers.js";

const maxEntries = 100_000;

/** A file's location in an archive: `size` bytes at `offset`. */
export interface FileRange {
  readonly offset: number;
  readonly size: number;
}

/**
 * Returns the files of an uncompressed tar by name; the last duplicate wins. Links are resolved within the archive. Rejects
 * names outside it, devices, sizes beyond the end. @throws MOTE_INVALID_ARCHIVE · MOTE_IO
 */
export async function readTarEntries(
  handle: ReadHandle,
  location: string,
  options: Cancellable = {},
): Promise<ReadonlyMap<string, FileRange>> {
  const files = new Map<string, FileRange>();
  const links = new Map<string, string>();
  let count = 0;
  await readHeaders(handle, location, options, (entry) => {
    const { name, type, linkName, offset, size } = entry;
    const path = cleanName(name, location);
    if (++count > maxEntries) throw invalidArchive(location, `it has more than ${maxEntries} entries`);
    if (type === "other") throw invalidArchive(location, `"${path}" is not a file, folder or link`);
    if (type === "folder" || (type === "file" && name.endsWith("/"))) return;
    files.delete(path);
    links.delete(path);
    if (type === "file") files.set(path, { offset, size });
    if (type === "link" && linkName.startsWith("/")) {
      throw invalidArchive(location, `the link "${path}" leads out of the archive`);
    }
    if (type === "link") links.set(path, cleanName(posix.join(posix.dirname(path), linkName), location));
    if (type !== "hard-link") return;
    const file = files.get(cleanName(linkName, location));
    if (file === undefined) throw invalidArchive(location, `the link "${path}" leads to no file before it`);
    files.set(path, file);
  });
  for (const [path, target] of links) {
    const file = files.get(target);
    if (file !== undefined) files.set(path, file);
  }
  return files;
}

async function readHeaders(
  handle: ReadHandle,
  location: string,
  { signal }: Cancellable,
  take: (entry: TarEntry) => void,
): Promise<void> {
  const { size: end } = await handle.stat();
  const headers = new TarHeaders(location);
  try {
    for (let at = 0; at + blockBytes <= end; ) {
      signal?.throwIfAborted();
      const entry = await headers.take(await readBlock(handle, at, location));
      if (headers.hasEnded) return;
      at += blockBytes + paddedBytes(entry?.size ?? 0);
      if (entry === undefined) continue;
      if (entry.offset + entry.size > end) {
        throw invalidArchive(
          location,
          `"${entry.name.slice(0, 200)}" has more bytes than the archive, which was cut off; copy it again, with all its parts if it has several`,
        );
      }
      take(entry);
    }
  } finally {
    headers.close();
  }
}

async function readBlock(handle: ReadHandle, position: number, location: string): Promise<Uint8Array> {
  try {
    const block = new Uint8Array(blockBytes);
    const { bytesRead } = await handle.read(block, 0, blockBytes, position);
    return block.subarray(0, bytesRead);
  } catch (error) {
    throw readFailed(error, location);
  }
}
