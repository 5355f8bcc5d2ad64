import {
  type Cancellable,
  type Descriptor,
  hasCode,
  ifFound,
  isRecord,
  MoteError,
  mediaTypes,
  messageOf,
  parseDigest,
  parseLayoutIndex,
} from "@mote/core";
import { assertNotLink } from "../disk/assert-inside.js";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { lockFolder } from "../disk/folder-lock.js";
import { FolderFiles, type NamedFiles, readSmallFile } from "../disk/named-files.js";
import { temporaryPath } from "../disk/temporary-name.js";
import { indexPath } from "./layout-paths.js";

/** image-spec, annotations.md: the name of a manifest in a layout. */
const refName = "org.opencontainers.image.ref.name";

/** Enough for a hundred thousand names. */
const maxIndexBytes = 32 * 1024 * 1024;

export const emptyIndex: Uint8Array = encode({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });

export function nameOf(entry: Descriptor): string | undefined {
  return entry.annotations?.[refName];
}

/** Returns the entry as a descriptor without its local name. */
export function withoutName(entry: Descriptor): Descriptor {
  const { annotations, ...rest } = entry;
  const { [refName]: _name, ...others } = annotations ?? {};
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}

/** Reads the entries of `index.json`; none if it is missing. @throws MOTE_INVALID_MANIFEST · MOTE_TOO_LARGE · MOTE_IO */
export async function readIndexEntries(files: NamedFiles, options: Cancellable = {}): Promise<readonly Descriptor[]> {
  return (await readIndex(files, options)).entries;
}

/**
 * Sets `name` to the manifest, or lists it unnamed if `name` is its own digest. Replaces the file under a lock; keeps other entries.
 * @throws MOTE_INVALID_MANIFEST · MOTE_EXISTS if the file is a symbolic link · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO
 */
export async function setIndexEntry(
  dir: string,
  name: string,
  descriptor: Descriptor,
  options: Cancellable,
): Promise<void> {
  const { signal } = options;
  const path = indexPath(dir);
  assertNotLink(path);
  for (;;) {
    await using lock = await lockFolder(dir, `${path}.lock`, { signal });
    const index = await readIndex(new FolderFiles(dir), { signal });
    const manifests = placeEntry(index, name === descriptor.digest ? undefined : name, descriptor);
    if (manifests === undefined) return;
    const written = await writeFileAtomically(path, [encode({ ...index.document, manifests })], {
      temporary: temporaryPath(dir),
      mayReplace: () => lock.isHeld(),
      signal,
    });
    if (written) return;
  }
}

/** Removes the entries with these names. Returns those that stay, and those whose manifest no other entry lists. @throws as `setIndexEntry` */
export async function removeIndexEntries(
  dir: string,
  names: ReadonlySet<string>,
  { signal }: Cancellable,
): Promise<{ readonly kept: readonly Descriptor[]; readonly removed: readonly Descriptor[] }> {
  const path = indexPath(dir);
  assertNotLink(path);
  const isRemoved = (entry: Descriptor) => names.has(nameOf(entry) ?? "");
  for (;;) {
    await using lock = await lockFolder(dir, `${path}.lock`, { signal });
    const { document, entries } = await readIndex(new FolderFiles(dir), { signal });
    const kept = entries.filter((entry) => !isRemoved(entry));
    const written = await writeFileAtomically(path, [withoutEntries(encode(document), isRemoved)], {
      temporary: temporaryPath(dir),
      mayReplace: () => lock.isHeld(),
      signal,
    });
    if (!written) continue;
    const digests = new Set(kept.map(({ digest }) => digest));
    return { kept, removed: entries.filter((entry) => isRemoved(entry) && !digests.has(entry.digest)) };
  }
}

/** Merges the entries of another `index.json`. @throws MOTE_EXISTS if a name differs between them, unless `overwrite` is set */
export async function mergeIndex(
  into: NamedFiles,
  from: NamedFiles,
  { overwrite, path, ...options }: Cancellable & { readonly overwrite: boolean; readonly path: string },
): Promise<{
  readonly bytes: Uint8Array;
  readonly entries: readonly Descriptor[];
  /** Entries of the first that were removed. */
  readonly replaced: readonly Descriptor[];
}> {
  const before = await readIndex(into, options);
  let { manifests } = before;
  for (const added of await readIndexEntries(from, options)) {
    const name = nameOf(added);
    const other = before.entries.find((entry) => name !== undefined && nameOf(entry) === name);
    if (other !== undefined && other.digest !== added.digest && !overwrite) throw taken(path, name ?? "", other.digest);
    const now = { ...before, manifests, entries: parseLayoutIndex(encode({ schemaVersion: 2, manifests })) };
    manifests = placeEntry(now, name, withoutName(added)) ?? manifests;
  }
  const bytes = encode({ ...before.document, manifests });
  const entries = parseLayoutIndex(bytes);
  const stays = new Set(entries.map((entry) => entry.digest));
  return { bytes, entries, replaced: before.entries.filter(({ digest }) => !stays.has(digest)) };
}

/** Returns an `index.json` without some of its entries. */
export function withoutEntries(bytes: Uint8Array, isRemoved: (entry: Descriptor) => boolean): Uint8Array {
  const entries = parseLayoutIndex(bytes);
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!isRecord(document) || !Array.isArray(document.manifests)) return bytes;
  const kept = document.manifests.filter((_, at) => entries[at] === undefined || !isRemoved(entries[at]));
  return encode({ ...document, manifests: kept });
}

export function taken(path: string, name: string, digest: string): MoteError {
  return new MoteError("MOTE_EXISTS", `${path} already contains ${digest} as ${name}; choose another name or archive`, {
    details: { path, name, digest },
  });
}

interface LayoutIndex {
  readonly entries: readonly Descriptor[];
  /** The unmodified file. */
  readonly document: Record<string, unknown>;
  /** Its `manifests`, one for each of `entries`. */
  readonly manifests: readonly unknown[];
}

async function readIndex(files: NamedFiles, options: Cancellable): Promise<LayoutIndex> {
  const reading = readSmallFile(files, "index.json", { ...options, maxBytes: maxIndexBytes });
  const bytes = (await ifFound(reading)) ?? emptyIndex;
  const entries = entriesIn(bytes, files.location);
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!isRecord(document))
    throw new MoteError("MOTE_INVALID_MANIFEST", `index.json in ${files.location} is not a JSON object`);
  return { entries, document, manifests: Array.isArray(document.manifests) ? document.manifests : [] };
}

/** Returns the new `manifests`; undefined if nothing changes. */
function placeEntry(
  index: LayoutIndex,
  name: string | undefined,
  descriptor: Descriptor,
): readonly unknown[] | undefined {
  const { entries, manifests } = index;
  const same = entries.findIndex((entry) => entry.digest === descriptor.digest && nameOf(entry) === name);
  const named = entries.filter((entry) => name !== undefined && nameOf(entry) === name).length;
  if (same >= 0 && named <= 1) return undefined;
  if (name === undefined && entries.some((entry) => entry.digest === descriptor.digest)) return undefined;
  const nameless = entries.findIndex((entry) => entry.digest === descriptor.digest && nameOf(entry) === undefined);
  const entry = newEntry(manifests[same] ?? manifests[nameless], name, descriptor);
  const kept = manifests.filter((_, at) => {
    const other = entries[at];
    return other !== undefined && at !== nameless && (name === undefined || nameOf(other) !== name);
  });
  return [...kept, entry];
}

/** Keeps the other fields of an existing entry for the manifest. */
function newEntry(there: unknown, name: string | undefined, descriptor: Descriptor): object {
  // The name is set here only, never by the descriptor.
  const { mediaType, digest, size, artifactType, platform, annotations } = withoutName(descriptor);
  const kept = isRecord(there) ? there : {};
  const oldAnnotations = isRecord(kept.annotations) ? kept.annotations : {};
  const allAnnotations = { ...annotations, ...oldAnnotations, ...(name === undefined ? {} : { [refName]: name }) };
  return {
    ...kept,
    mediaType,
    digest: parseDigest(digest),
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(platform === undefined ? {} : { platform }),
    ...(Object.keys(allAnnotations).length === 0 ? {} : { annotations: allAnnotations }),
  };
}

function encode(document: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}

/** Names the layout in the error, which may be one of several. @throws MOTE_INVALID_MANIFEST */
function entriesIn(bytes: Uint8Array, location: string): readonly Descriptor[] {
  try {
    return parseLayoutIndex(bytes);
  } catch (cause) {
    if (!hasCode(cause, "MOTE_INVALID_MANIFEST")) throw cause;
    const message = `cannot read ${location}: ${messageOf(cause)}`;
    throw new MoteError("MOTE_INVALID_MANIFEST", message, { cause, details: { path: location } });
  }
}
