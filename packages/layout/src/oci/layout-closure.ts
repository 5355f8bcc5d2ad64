import {
  type Cancellable,
  type Descriptor,
  isManifestType,
  isNotFound,
  type Manifest,
  MoteError,
  manifestChildren,
  maxManifestBytes,
  parseManifest,
} from "@mote/core";
import { type NamedFiles, readSmallFile } from "../disk/named-files.js";
import { blobName } from "./layout-paths.js";

/**
 * The names of the blobs that `replaced` refer to and `kept` do not, in a layout whose files are in the first of `places` that
 * has them. None if a manifest cannot be read: then nothing is known to be superfluous.
 */
export async function contentOnlyBelow(
  replaced: readonly Descriptor[],
  kept: readonly Descriptor[],
  places: readonly NamedFiles[],
  options: Cancellable,
): Promise<ReadonlySet<string>> {
  if (replaced.length === 0) return new Set();
  try {
    const needed = await contentBelow(kept, places, options);
    const names = await contentBelow(replaced, places, options);
    return new Set([...names].filter((name) => !needed.has(name)));
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return new Set();
  }
}

async function contentBelow(
  entries: readonly Descriptor[],
  places: readonly NamedFiles[],
  options: Cancellable,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  const read = new Set<string>();
  const pending = [...entries];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const name = blobName(next.digest);
    if (read.has(name)) continue;
    read.add(name);
    names.add(name);
    // A platform that was left out has no manifest here.
    const bytes = await readFirst(places, name, options);
    const manifest = bytes && readManifest(bytes, next.mediaType);
    if (manifest === undefined) continue;
    const { manifests, blobs, foreign } = manifestChildren(manifest);
    pending.push(...manifests);
    for (const { digest } of [...blobs, ...foreign]) names.add(blobName(digest));
  }
  return names;
}

/** What an index lists under another type need not be a manifest. */
function readManifest(bytes: Uint8Array, mediaType: string): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (isManifestType(mediaType)) throw error;
    return undefined;
  }
}

async function readFirst(places: readonly NamedFiles[], name: string, options: Cancellable) {
  for (const place of places) {
    try {
      return await readSmallFile(place, name, { ...options, maxBytes: maxManifestBytes });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return undefined;
}
