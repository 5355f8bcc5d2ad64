import {
  type Cancellable,
  type Descriptor,
  type Digest,
  digestBytes,
  ifFound,
  isManifestType,
  type Manifest,
  MoteError,
  manifestChildren,
  maxManifestBytes,
  mediaTypes,
  parseManifest,
  readClosure,
} from "@mote/core";
import { type NamedFiles, readSmallFile } from "../disk/named-files.js";
import { emptyIndex } from "./index-file.js";
import { blobName } from "./layout-paths.js";

/** Returns the names of blobs below `replaced` but not `remaining`. Empty if a manifest is unreadable: then nothing is removed. */
export async function contentOnlyBelow(
  replaced: readonly Descriptor[],
  remaining: readonly Descriptor[],
  sources: readonly NamedFiles[],
  options: Cancellable,
): Promise<ReadonlySet<string>> {
  if (replaced.length === 0) return new Set();
  try {
    const needed = await digestsBelow(remaining, sources, options);
    const digests = await digestsBelow(replaced, sources, options);
    return new Set([...digests].filter((digest) => !needed.has(digest)).map(blobName));
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return new Set();
  }
}

/** Treats every entry as a manifest, whatever its type. */
async function digestsBelow(
  entries: readonly Descriptor[],
  sources: readonly NamedFiles[],
  options: Cancellable,
): Promise<ReadonlySet<Digest>> {
  const root = { digest: digestBytes(emptyIndex), mediaType: mediaTypes.ociIndex };
  const { digests } = await readClosure(root, async (node) => {
    if (node === root) return { manifests: entries, blobs: [], foreign: [] };
    // A platform that was not selected has no manifest here.
    const manifest = await readManifestIn(sources, node, options);
    return manifest && manifestChildren(manifest);
  });
  return digests;
}

/** Returns undefined for a manifest that is not there, and for an entry that is not a manifest. */
export async function readManifestIn(
  sources: readonly NamedFiles[],
  { digest, mediaType }: Pick<Descriptor, "digest" | "mediaType">,
  options: Cancellable,
): Promise<Manifest | undefined> {
  const bytes = await readFirst(sources, blobName(digest), options);
  return bytes && readManifest(bytes, mediaType);
}

/** Returns undefined for an index entry that is not a manifest. */
function readManifest(bytes: Uint8Array, mediaType: string): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (isManifestType(mediaType)) throw error;
    return undefined;
  }
}

async function readFirst(sources: readonly NamedFiles[], name: string, options: Cancellable) {
  for (const files of sources) {
    const bytes = await ifFound(readSmallFile(files, name, { ...options, maxBytes: maxManifestBytes }));
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}
