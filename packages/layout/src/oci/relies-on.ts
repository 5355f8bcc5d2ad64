import { type Cancellable, type Digest, ifFound, isDigest, isRecord, MoteError, parseJsonRecord } from "@mote/core";
import { type NamedFiles, readSmallFile } from "../disk/named-files.js";

/** The file of an archive that lists the blobs it was written without, beside `blobs/`. */
export const reliesOnName = "relies-on.json";

const version = 1;
const maxBytes = 64 * 1024 * 1024;
const maxNames = 8;

/** A blob that an archive was written without, because its reader has it. */
export interface ReliedOnBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  /** Names of images that contain it where it was known to be; at most 8. */
  readonly images: readonly string[];
}

export function writeReliesOn(blobs: readonly ReliedOnBlob[]): Uint8Array {
  const sorted = [...blobs].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const listed = sorted.map((blob) => ({ ...blob, images: [...blob.images].sort().slice(0, maxNames) }));
  return new TextEncoder().encode(`${JSON.stringify({ version, blobs: listed }, undefined, 1)}\n`);
}

/** Returns none for an archive that is not thin. @throws MOTE_UNSUPPORTED_FORMAT · MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE */
export async function readReliesOn(files: NamedFiles, options: Cancellable = {}): Promise<readonly ReliedOnBlob[]> {
  const bytes = await ifFound(readSmallFile(files, reliesOnName, { ...options, maxBytes }));
  if (bytes === undefined) return [];
  const document = parseJsonRecord(bytes);
  const found = document?.version;
  if (document !== undefined && typeof found === "number" && found !== version) {
    const message = `cannot read ${reliesOnName} of ${files.location}: its version is ${found}, and not ${version}; use a newer mote`;
    throw new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { details: { path: files.location, version: found } });
  }
  const blobs = Array.isArray(document?.blobs) ? document.blobs.map(readBlob) : [undefined];
  if (found !== version || blobs.includes(undefined)) throw invalid(files.location);
  return blobs.filter((blob) => blob !== undefined);
}

function readBlob(value: unknown): ReliedOnBlob | undefined {
  if (!isRecord(value) || !isDigest(value.digest) || !Number.isSafeInteger(value.size)) return undefined;
  const { digest, mediaType, images } = value;
  return {
    digest,
    size: Number(value.size),
    mediaType: typeof mediaType === "string" ? mediaType : "application/octet-stream",
    images: Array.isArray(images) ? images.filter((name) => typeof name === "string").slice(0, maxNames) : [],
  };
}

function invalid(location: string): MoteError {
  const message = `cannot read the archive ${location}: its ${reliesOnName} is not valid; copy the archive again`;
  return new MoteError("MOTE_INVALID_ARCHIVE", message, { details: { path: location } });
}
