import {
  type Closure,
  type Digest,
  type GraphNode,
  isManifestType,
  lastUseOf,
  type ManifestChildren,
  manifestChildren,
  maxManifestBytes,
  parseManifest,
  readClosure,
  sniffManifestType,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { notAhead } from "../disk/file-times.js";
import type { DigestFiles } from "../folder/digest-files.js";
import type { StoredTag } from "../tags/tag-file.js";
import type { TagFiles } from "../tags/tag-files.js";

/** A manifest that no other one refers to, with its tags and everything below it. */
export interface Root extends Omit<Closure, "digests" | "foreign"> {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly tags: readonly StoredTag[];
  /** The manifest itself first. */
  readonly closure: ReadonlySet<Digest>;
  /** Unix milliseconds: as `lastUseOf`; 0 if none of it is stored. */
  readonly usedMs: number;
}

/** Finds the roots: tagged manifests, those stored without a tag, and pinned ones. */
export async function findRoots(
  store: BlobStore,
  from: { readonly tags: TagFiles; readonly manifests: DigestFiles; readonly pins: DigestFiles },
): Promise<Root[]> {
  const named = new Map<Digest, { mediaType: string; tags: StoredTag[] }>();
  for (const digest of from.manifests.list()) {
    await store.yields.yieldIfDue();
    named.set(digest, { mediaType: await notedType(store, from.manifests, digest), tags: [] });
  }
  for (const digest of from.pins.list()) {
    if (named.has(digest)) continue;
    const mediaType = await typeOf(store, digest);
    if (mediaType !== undefined) named.set(digest, { mediaType, tags: [] });
  }
  for (const tag of await from.tags.stored()) {
    const { digest, mediaType: said } = tag.descriptor;
    const root = named.get(digest);
    // Another tool may have listed it in `index.json` without a media type.
    const mediaType = isManifestType(said) || root !== undefined ? said : ((await typeOf(store, digest)) ?? said);
    if (root === undefined) named.set(digest, { mediaType, tags: [tag] });
    else root.tags.push(tag);
  }
  const roots: Root[] = [];
  // Each is read once: one added or removed meanwhile is present for all its parents, or for none.
  const known: ReadManifests = new Map();
  const used = new Map<Digest, number | undefined>();
  for (const [digest, root] of named) {
    await store.yields.yieldIfDue();
    const {
      digests: closure,
      manifests,
      isRead,
    } = await closureOf(store, { digest, mediaType: root.mediaType }, known);
    const own = [digest, ...manifests];
    for (const each of own) {
      const stats = used.has(each) ? undefined : await store.stat(each);
      if (stats !== undefined) used.set(each, notAhead(stats.atimeMs));
    }
    const usedMs = lastUseOf(own, root.tags, (each) => used.get(each)) ?? 0;
    roots.push({ digest, ...root, closure, manifests, isRead, usedMs });
  }
  return roots;
}

/** Returns "" if neither the note nor the blob tells the type: a note exists before its text and its blob do. */
export async function notedType(store: BlobStore, manifests: DigestFiles, digest: Digest): Promise<string> {
  const noted = manifests.textOf(digest) ?? "";
  // A power failure may have emptied the note.
  return isManifestType(noted) ? noted : ((await typeOf(store, digest)) ?? "");
}

/** The children of manifests; undefined if a manifest is not stored. */
type ReadManifests = Map<Digest, ManifestChildren<GraphNode> | undefined>;

/** Returns a digest and all below it. `isRead` is false if it is not a manifest, or is not stored. */
export function closureOf(
  store: BlobStore,
  root: GraphNode,
  known: ReadManifests = new Map<Digest, ManifestChildren<GraphNode> | undefined>(),
): Promise<Closure> {
  return readClosure(root, async ({ digest, mediaType }) => {
    if (!known.has(digest)) known.set(digest, await childrenOf(store, digest, mediaType));
    return known.get(digest);
  });
}

/** Returns the media type of a manifest by its content; undefined if the blob is not a manifest. */
async function typeOf(store: BlobStore, digest: Digest): Promise<string | undefined> {
  const bytes = await readSmall(store, digest);
  try {
    return bytes && sniffManifestType(bytes);
  } catch {
    return undefined;
  }
}

/** Returns undefined if missing, too large, or unreadable: a prune that stops at one bad sector would never free the disk. */
async function readSmall(store: BlobStore, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await readManifest(store, digest);
  } catch (error) {
    store.logger.warn("a manifest in the cache cannot be read", { digest, error });
    return undefined;
  }
}

async function readManifest(store: BlobStore, digest: Digest): Promise<Uint8Array | undefined> {
  const blob = await store.open(digest);
  if (blob === undefined) return undefined;
  try {
    if (blob.stats.size > maxManifestBytes) return undefined;
    const bytes = new Uint8Array(blob.stats.size);
    const got = await store.calls.read(blob.fd, bytes, 0);
    return bytes.subarray(0, got);
  } finally {
    await store.calls.close(blob.fd);
  }
}

/** A damaged manifest keeps nothing: its children are pruned by their own use. */
async function childrenOf(
  store: BlobStore,
  digest: Digest,
  mediaType: string,
): Promise<ManifestChildren<GraphNode> | undefined> {
  const bytes = await readSmall(store, digest);
  if (bytes === undefined) return undefined;
  try {
    const { manifests, blobs, foreign } = manifestChildren(parseManifest(bytes, mediaType));
    return { manifests: manifests.map(node), blobs: blobs.map(node), foreign: foreign.map(node) };
  } catch (error) {
    // A child that an index lists with another type need not be a manifest.
    if (!isManifestType(mediaType)) return undefined;
    store.logger.warn("a manifest in the cache cannot be read", { error });
    return { manifests: [], blobs: [], foreign: [] };
  }
}

/** Omits the rest of a descriptor, as there may be very many. */
function node({ digest, mediaType }: GraphNode): GraphNode {
  return { digest, mediaType };
}
