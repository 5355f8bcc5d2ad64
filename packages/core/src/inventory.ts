import type { Cancellable } from "./cancellable.js";
import type { MoteCache, StoredMote } from "./capabilities.js";
import type { Digest } from "./digest.js";
import { MoteError } from "./error.js";
import { childDescriptors, type Manifest } from "./manifest.js";
import { type Closure, closureFrom, lastUseOf, manifestChildren } from "./manifest-graph.js";
import { isIndexType, isManifestType, mediaTypes } from "./media-type.js";
import { readManifest } from "./read-manifest.js";
import type { Tag } from "./tag-store.js";

/**
 * The role of a mote. An `artifact` is an image manifest whose content is not a container image; no manifest in the cache refers to a
 * `blob`.
 */
export type MoteKind = "image" | "index" | "artifact" | "config" | "layer" | "blob";

export interface InventoryMote extends StoredMote {
  readonly kind: MoteKind;
  /** The names of its tags, in order. */
  readonly names: readonly string[];
  readonly isPinned: boolean;
  /** The manifests in the cache that refer to it. */
  readonly referredBy: readonly Digest[];
}

/** The content of a cache and its relations. */
export interface Inventory {
  readonly motes: ReadonlyMap<Digest, InventoryMote>;
  /** The stored manifests that could be read. */
  readonly manifests: ReadonlyMap<Digest, Manifest>;
  /** The stored manifests that could not be read, with their error codes. */
  readonly unreadable: ReadonlyMap<Digest, string>;
  /** All tags, including those of manifests that are not stored. */
  readonly tags: readonly Tag[];
  /** The errors of tags that could not be read. */
  readonly tagErrors: readonly MoteError[];
}

/**
 * Reads the tags, pins and manifests of a cache, which does not count as a use. Unreadable manifests are treated as if they referred to nothing.
 * @throws TypeError if the cache cannot be listed · MOTE_IO
 */
export async function takeInventory(cache: MoteCache, options: Cancellable = {}): Promise<Inventory> {
  if (cache.motes === undefined) throw new TypeError("this cache cannot be listed");
  const { signal } = options;
  const stored = new Map<Digest, StoredMote>();
  for await (const mote of cache.motes({ signal })) stored.set(mote.digest, mote);
  const { tags, tagErrors } = await readTags(cache, signal);
  const pins = new Set<Digest>();
  for await (const digest of cache.pinned?.pins({ signal }) ?? []) pins.add(digest);
  const { manifests, unreadable } = await readManifests(cache, stored, tags, signal);
  return { motes: describeMotes(stored, manifests, { tags, pins }), manifests, unreadable, tags, tagErrors };
}

/** Returns the readable tags. A tag store yields them before it throws the error of the unreadable ones. */
async function readTags(
  { tags: store }: MoteCache,
  signal: AbortSignal | undefined,
): Promise<Pick<Inventory, "tags" | "tagErrors">> {
  const tags: Tag[] = [];
  try {
    for await (const tag of store?.list({ signal }) ?? []) tags.push(tag);
    return { tags, tagErrors: [] };
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error) || (error.code !== "MOTE_CORRUPT" && error.code !== "MOTE_IO")) throw error;
    return { tags, tagErrors: [error] };
  }
}

type Typed = Pick<StoredMote, "digest" | "mediaType">;

/** Reads the manifests that have a tag, a manifest's media type, or an index that lists them. */
async function readManifests(
  cache: MoteCache,
  stored: ReadonlyMap<Digest, StoredMote>,
  tags: readonly Tag[],
  signal: AbortSignal | undefined,
): Promise<Pick<Inventory, "manifests" | "unreadable">> {
  const manifests = new Map<Digest, Manifest>();
  const unreadable = new Map<Digest, string>();
  const named = tags.map(({ descriptor }) => descriptor);
  const waiting: Typed[] = [...[...stored.values()].filter(({ mediaType }) => isManifestType(mediaType)), ...named];
  const content = new Set<Digest>();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { digest, mediaType } = next;
    if (manifests.has(digest) || unreadable.has(digest) || !stored.has(digest)) continue;
    if (!isManifestType(mediaType) && content.has(digest)) continue;
    try {
      const manifest = await readManifest(cache, next, { countsAsUse: false, signal });
      manifests.set(digest, manifest);
      for (const child of manifestChildren(manifest).manifests) waiting.push(child);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      // An index may list content of other media types that is not a manifest.
      if (isManifestType(mediaType)) unreadable.set(digest, error.code);
      else content.add(digest);
    }
  }
  return { manifests, unreadable };
}

function describeMotes(
  stored: ReadonlyMap<Digest, StoredMote>,
  manifests: ReadonlyMap<Digest, Manifest>,
  { tags, pins }: { readonly tags: readonly Tag[]; readonly pins: ReadonlySet<Digest> },
): Map<Digest, InventoryMote> {
  const roles = new Map<Digest, Role>();
  for (const [digest, manifest] of manifests) {
    if (manifest.kind === "manifest" && manifest.config !== undefined)
      roleOf(roles, manifest.config.digest).as ??= ["config", manifest.config.mediaType];
    for (const child of childDescriptors(manifest)) {
      const role = roleOf(roles, child.digest);
      role.as ??= ["layer", child.mediaType];
      // A manifest may list it twice.
      if (role.referredBy.at(-1) !== digest) role.referredBy.push(digest);
    }
  }
  for (const { name, descriptor } of tags) roleOf(roles, descriptor.digest).names.push(name);
  const motes = new Map<Digest, InventoryMote>();
  for (const [digest, mote] of stored) {
    const role = roles.get(digest);
    const manifest = manifests.get(digest);
    const as = manifest ? ([manifestKind(manifest), manifest.mediaType] as const) : role?.as;
    motes.set(digest, describe(mote, { as, role, isPinned: pins.has(digest) }));
  }
  return motes;
}

// Copies each field, because spreading is several times slower and there may be very many motes.
function describe(
  { digest, size, mediaType, usedMs, storedMs, isVerified }: StoredMote,
  { as, role, isPinned }: { readonly as: Role["as"]; readonly role: Role | undefined; readonly isPinned: boolean },
): InventoryMote {
  return {
    digest,
    size,
    mediaType: as?.[1] ?? mediaType,
    usedMs,
    storedMs,
    isVerified,
    kind: as?.[0] ?? kindOfUnread(mediaType),
    names: role?.names ?? [],
    isPinned,
    referredBy: role?.referredBy ?? [],
  };
}

interface Role {
  /** Kind and media type in the first manifest that lists it. */
  as: readonly [MoteKind, string] | undefined;
  readonly names: string[];
  readonly referredBy: Digest[];
}

function roleOf(roles: Map<Digest, Role>, digest: Digest): Role {
  let role = roles.get(digest);
  if (role === undefined) {
    role = { as: undefined, names: [], referredBy: [] };
    roles.set(digest, role);
  }
  return role;
}

/** Returns the kind of a manifest, by the media type of its config (image-spec, manifest.md, "Guidelines for Artifact Usage"). */
export function manifestKind(manifest: Manifest): MoteKind {
  if (manifest.kind === "index") return "index";
  const isImage =
    manifest.config?.mediaType === mediaTypes.ociConfig || manifest.config?.mediaType === mediaTypes.dockerConfig;
  return isImage && manifest.artifactType === undefined ? "image" : "artifact";
}

function kindOfUnread(mediaType: string): MoteKind {
  if (isIndexType(mediaType)) return "index";
  return isManifestType(mediaType) ? "image" : "blob";
}

/** Returns a manifest and everything below it, whether it is stored or not. */
export function closureOf(inventory: Inventory, root: Digest): ReadonlySet<Digest> {
  return walk(inventory, root).digests;
}

function walk({ manifests }: Inventory, root: Digest): Closure {
  const mediaType = manifests.get(root)?.mediaType ?? mediaTypes.octetStream;
  return closureFrom({ digest: root, mediaType }, ({ digest }) => {
    const manifest = manifests.get(digest);
    return manifest && manifestChildren(manifest);
  });
}

/** A manifest that has a name, or that no index in the cache lists. */
export interface InventoryRoot {
  readonly digest: Digest;
  readonly names: readonly string[];
  readonly kind: MoteKind;
  readonly closure: ReadonlySet<Digest>;
  /** The stored bytes of its closure. */
  readonly storedBytes: number;
  /** The number of motes of its closure that are not stored, foreign layers excluded. */
  readonly missing: number;
  /** When it was last used, in Unix milliseconds, as `lastUseOf` computes it. */
  readonly usedMs?: number;
  readonly storedMs?: number;
  readonly isPinned: boolean;
}

/** Returns when each mote was last used, in Unix milliseconds: roots as in `rootsOf`, other motes by their own use. */
export function lastUses(inventory: Inventory): ReadonlyMap<Digest, number> {
  const uses = new Map<Digest, number>();
  for (const { digest, usedMs } of inventory.motes.values()) if (usedMs !== undefined) uses.set(digest, usedMs);
  for (const { digest, usedMs } of rootsOf(inventory)) if (usedMs !== undefined) uses.set(digest, usedMs);
  return uses;
}

/** Returns the roots in no particular order, including tagged manifests that are not stored. */
export function rootsOf(inventory: Inventory): InventoryRoot[] {
  const tags = new Map<Digest, Tag[]>();
  for (const tag of inventory.tags) {
    const { digest } = tag.descriptor;
    const others = tags.get(digest);
    if (others === undefined) tags.set(digest, [tag]);
    else others.push(tag);
  }
  const listed = new Set<Digest>();
  for (const manifest of inventory.manifests.values()) {
    for (const { digest } of manifestChildren(manifest).manifests) listed.add(digest);
  }
  const roots = new Set(tags.keys());
  for (const { digest, kind } of inventory.motes.values()) {
    const isManifest = kind === "image" || kind === "index" || kind === "artifact";
    if (isManifest && !listed.has(digest)) roots.add(digest);
  }
  return [...roots].map((digest) => rootAt(inventory, digest, tags.get(digest) ?? []));
}

/** Counts the motes of a closure that are stored, their bytes, and the missing motes without foreign layers. */
export function measureClosure(
  inventory: Inventory,
  root: Digest,
): { readonly stored: number; readonly storedBytes: number; readonly missing: number } {
  return measure(inventory, walk(inventory, root));
}

function measure({ motes }: Inventory, { digests, foreign }: Closure) {
  let [stored, storedBytes, missing] = [0, 0, 0];
  for (const digest of digests) {
    const mote = motes.get(digest);
    if (mote !== undefined) {
      stored++;
      storedBytes += mote.size;
    } else if (!foreign.has(digest)) missing++;
  }
  return { stored, storedBytes, missing };
}

function rootAt(inventory: Inventory, digest: Digest, tags: readonly Tag[]): InventoryRoot {
  const closure = walk(inventory, digest);
  const own = inventory.motes.get(digest);
  const { storedBytes, missing } = measure(inventory, closure);
  const usedMs = lastUseOf([digest, ...closure.manifests], tags, (each) => inventory.motes.get(each)?.usedMs);
  return {
    digest,
    names: own?.names ?? tags.map(({ name }) => name),
    kind: own?.kind ?? kindOfUnread(tags[0]?.descriptor.mediaType ?? ""),
    closure: closure.digests,
    storedBytes: storedBytes,
    missing,
    ...(usedMs === undefined ? {} : { usedMs }),
    ...(own?.storedMs === undefined ? {} : { storedMs: own.storedMs }),
    isPinned: own?.isPinned ?? false,
  };
}
