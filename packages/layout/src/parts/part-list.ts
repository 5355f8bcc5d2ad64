import { basename } from "node:path";
import { type Digest, isDigest, isNotFound, isRecord, MoteError, parseJsonRecord } from "@mote/core";
import { collectFile } from "../disk/chunks.js";
import { invalidArchive } from "../disk/file-error.js";
import { openFile } from "../disk/opened-file.js";
import { partListPath, partPath } from "./part-names.js";

const version = 1;
const maxListBytes = 16 * 1024 * 1024;

/** A part of an archive. */
export interface ArchivePart {
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
}

/** Formats the list of an archive's parts. Their names follow from that of the list, and are for people. */
export function formatPartList(archive: string, parts: readonly Omit<ArchivePart, "path">[]): Uint8Array {
  const listed = parts.map(({ size, digest }, at) => ({ name: basename(partPath(archive, at + 1)), size, digest }));
  const size = parts.reduce((total, part) => total + part.size, 0);
  const document = { version, archive: basename(archive), size, parts: listed };
  return new TextEncoder().encode(`${JSON.stringify(document, undefined, 1)}\n`);
}

/**
 * Reads the list of an archive's parts, which are beside it. No path is taken from it. @throws MOTE_NOT_FOUND · MOTE_INVALID_ARCHIVE ·
 *   MOTE_UNSUPPORTED_FORMAT · MOTE_TOO_LARGE · MOTE_IO
 */
export async function readPartList(archive: string): Promise<readonly ArchivePart[]> {
  const path = partListPath(archive);
  const document = parseJsonRecord(await readList(path));
  if (typeof document?.version === "number" && document.version !== version) {
    const message = `cannot read ${path}: its version is ${document.version}, and not ${version}; use a newer mote`;
    throw new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { details: { path, version: document.version } });
  }
  const listed = document?.version === version && Array.isArray(document.parts) ? document.parts : [];
  if (listed.length === 0) throw invalidArchive(path, "it does not list the parts of an archive");
  return listed.map((value: unknown, at) => {
    const number = at + 1;
    const part = partPath(archive, number);
    const isPart = isRecord(value) && value.name === basename(part) && isDigest(value.digest);
    if (!isPart || !Number.isSafeInteger(value.size) || Number(value.size) < 1) {
      throw invalidArchive(path, `its entry of part ${number} is not valid; copy the list again`);
    }
    return { path: part, size: Number(value.size), digest: value.digest as Digest };
  });
}

async function readList(path: string): Promise<Uint8Array> {
  try {
    const file = await openFile(path);
    return await collectFile(file, path, maxListBytes);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const message = `${path} does not exist; copy the list of the parts as well`;
    throw new MoteError("MOTE_NOT_FOUND", message, { cause: error, details: { path } });
  }
}
