import {
  type Cancellable,
  childDescriptors,
  type Descriptor,
  isManifestType,
  isNotFound,
  MoteError,
  maxManifestBytes,
  parseManifest,
} from "@mote/core";
import { blobName } from "./layout-paths.js";
import { type NamedFiles, readSmallFile } from "./named-files.js";

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
  const pending = [...entries];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const name = blobName(next.digest);
    if (names.has(name)) continue;
    names.add(name);
    if (!isManifestType(next.mediaType)) continue;
    // A platform that was left out has no manifest here.
    const bytes = await readFirst(places, name, options);
    if (bytes !== undefined) pending.push(...childDescriptors(parseManifest(bytes, next.mediaType)));
  }
  return names;
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
