import type { FileHandle } from "node:fs/promises";
import { posix } from "node:path";
import type { Cancellable } from "@mote/core";
import { blockBytes, invalidArchive, paddedBytes, readTarHeader, type TarHeader } from "./tar-header.js";

/** Bytes of a record that says a long name. */
export const maxExtensionBytes = 64 * 1024;
const maxEntries = 100_000;

/** What the records before a header say that it does not. */
export type TarExtension = Partial<Pick<TarHeader, "name" | "size" | "linkName">>;

/** Where a file of an archive is: `size` bytes from `offset` on. */
export interface TarEntry {
  readonly offset: number;
  readonly size: number;
}

/**
 * The files of an uncompressed tar, by name; only headers are read. Whatever has no place in an archive of content is refused:
 * names that are absolute or lead out of it, a name twice, devices and hard links, sizes beyond the archive's end. A symbolic
 * link stands for the file in the archive that it leads to (older versions of Docker write one for a layer that comes twice).
 * @throws MOTE_INVALID_ARCHIVE
 */
export async function readTarEntries(
  handle: FileHandle,
  place: string,
  { signal }: Cancellable = {},
): Promise<ReadonlyMap<string, TarEntry>> {
  const { size: end } = await handle.stat();
  const files = new Map<string, TarEntry>();
  const links = new Map<string, string>();
  let extended: TarExtension = {};
  for (let offset = 0; offset + blockBytes <= end; ) {
    signal?.throwIfAborted();
    const header = readTarHeader(await readBytes(handle, offset, blockBytes), place);
    if (header === undefined) break;
    const { name, size, type, linkName } = { ...header, ...extended };
    const body = offset + blockBytes;
    if (body + size > end) throw invalidArchive(place, `"${name.slice(0, 200)}" has more bytes than the archive`);
    if (type === "pax" || type === "long-name") {
      if (size > maxExtensionBytes) throw invalidArchive(place, "a header's extension is too large");
      const bytes = await readBytes(handle, body, size);
      extended = type === "pax" ? { ...extended, ...readPax(bytes, place) } : { ...extended, name: textOf(bytes) };
    } else if (type !== "pax-global" && type !== "long-link") {
      extended = {};
      const path = cleanName(name, place);
      if (type === "other" || type === "hard-link") throw invalidArchive(place, `"${path}" is neither file nor folder`);
      if (type !== "folder" && (files.has(path) || links.has(path)))
        throw invalidArchive(place, `"${path}" is there twice`);
      if (type === "file") files.set(path, { offset: body, size });
      if (type === "link" && linkName.startsWith("/"))
        throw invalidArchive(place, `the link "${path}" leads out of the archive`);
      if (type === "link") links.set(path, cleanName(posix.join(posix.dirname(path), linkName), place));
      if (files.size + links.size > maxEntries)
        throw invalidArchive(place, `there are more than ${maxEntries} files in it`);
    }
    offset = body + paddedBytes(size);
  }
  for (const [path, target] of links) {
    const file = files.get(target);
    if (file !== undefined) files.set(path, file);
  }
  return files;
}

/** A name below the archive's top, without trailing slash; `.` for the top itself. @throws MOTE_INVALID_ARCHIVE */
export function cleanName(name: string, place: string): string {
  const shown = JSON.stringify(name.slice(0, 200));
  if (name.startsWith("/") || name.includes("\0") || name.includes("\\") || /^[A-Za-z]:/.test(name)) {
    throw invalidArchive(place, `${shown} is not a name below the archive's top`);
  }
  if (name.split("/").includes("..")) throw invalidArchive(place, `${shown} leads out of the archive`);
  return posix.normalize(name).replace(/\/$/, "");
}

/** POSIX.1-2017, pax, "pax Extended Header". */
export function readPax(bytes: Uint8Array, place: string): TarExtension {
  const found: { name?: string; size?: number; linkName?: string } = {};
  for (let at = 0; at < bytes.byteLength; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(textOf(bytes.subarray(at, Math.max(at, blank))));
    const record = textOf(bytes.subarray(blank + 1, at + length - 1));
    const equals = record.indexOf("=");
    if (
      blank < 0 ||
      !Number.isInteger(length) ||
      length <= blank - at ||
      at + length > bytes.byteLength ||
      equals < 0
    ) {
      throw invalidArchive(place, "an extended header is damaged");
    }
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") found.name = value;
    if (key === "linkpath") found.linkName = value;
    if (key === "size") found.size = Number(value);
    if (key === "size" && (!/^\d+$/.test(value) || !Number.isSafeInteger(found.size))) {
      throw invalidArchive(place, "a size in an extended header is none");
    }
    if (key.startsWith("GNU.sparse")) throw invalidArchive(place, "sparse files are not read");
    at += length;
  }
  return found;
}

export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

async function readBytes(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) return bytes.subarray(0, at);
    at += bytesRead;
  }
  return bytes;
}
