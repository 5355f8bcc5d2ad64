import type { Cancellable } from "./cancellable.js";
import type { MoteCache, StoredMote } from "./capabilities.js";
import type { Digest } from "./digest.js";
import { MoteError } from "./error.js";
import { childDescriptors, type Manifest, maxManifestBytes, parseManifest } from "./manifest.js";
import { type Closure, closureFrom, lastUseOf, manifestChildren } from "./manifest-graph.js";
import { isIndexType, isManifestType, mediaTypes } from "./media-type.js";
import { readMote } from "./read-mote.js";
import type { Tag } from "./tag-store.js";

/**
 * What a mote is to those that refer to it. An `artifact` is an image manifest whose content is no container image; a `blob` is
 * what no manifest in the cache refers to.
 */
export type MoteKind = "image" | "index" | "artifact" | "config" | "layer" | "blob";

export interface InventoryMote extends StoredMote {
  readonly kind: MoteKind;
  /** Its tags, in the order of names. */
  readonly names: readonly string[];
  readonly isPinned: boolean;
  /** The manifests in the cache that list it. */
  readonly referredBy: readonly Digest[];
}

/** What a cache keeps, and how it hangs together. */
export interface Inventory {
  readonly motes: ReadonlyMap<Digest, InventoryMote>;
  /** Those manifests of the cache that can be read. */
  readonly manifests: ReadonlyMap<Digest, Manifest>;
  /** Manifests that are there and cannot be read, each with an error code. */
  readonly unreadable: ReadonlyMap<Digest, string>;
  /** Names, also those of manifests that are not kept. */
  readonly tags: readonly Tag[];
  /** Why names are missing that could not be read. */
  readonly tagErrors: readonly MoteError[];
}

/**
 * Looks at everything that a cache keeps. Manifests are read, and that counts as no use of them. One that cannot be read is noted,
 * and what only it refers to counts as referred to by nothing.
 * @throws TypeError where the cache cannot be listed · MOTE_IO
 */
export async function takeInventory(cache: MoteCache, options: Cancellable = {}): Promise<Inventory> {
  if (cache.motes === undefined) throw new TypeError("this cache cannot be listed");
  const { signal } = options;
  const kept = new Map<Digest, StoredMote>();
  for await (const mote of cache.motes({ signal })) kept.set(mote.digest, mote);
  const { tags, tagErrors } = await readTags(cache, signal);
  const pins = new Set<Digest>();
  for await (const digest of cache.pinned?.pins({ signal }) ?? []) pins.add(digest);
  const { manifests, unreadable } = await readManifests(cache, kept, tags, signal);
  return { motes: describeMotes(kept, manifests, { tags, pins }), manifests, unreadable, tags, tagErrors };
}

/** A tag store lists what it can read before it says what it cannot. */
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

/** The manifests that tags name, that the cache knows as such, and those that other manifests list. */
async function readManifests(
  cache: MoteCache,
  kept: ReadonlyMap<Digest, StoredMote>,
  tags: readonly Tag[],
  signal: AbortSignal | undefined,
): Promise<Pick<Inventory, "manifests" | "unreadable">> {
  const manifests = new Map<Digest, Manifest>();
  const unreadable = new Map<Digest, string>();
  const named = tags.map(({ descriptor }) => descriptor);
  const waiting: Typed[] = [...[...kept.values()].filter(({ mediaType }) => isManifestType(mediaType)), ...named];
  const content = new Set<Digest>();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { digest, mediaType } = next;
    if (manifests.has(digest) || unreadable.has(digest) || !kept.has(digest)) continue;
    if (!isManifestType(mediaType) && content.has(digest)) continue;
    try {
      const bytes = await readMote(cache, digest, { maxBytes: maxManifestBytes, countsAsUse: false, signal });
      const manifest = parseManifest(bytes, mediaType);
      manifests.set(digest, manifest);
      for (const child of manifestChildren(manifest).manifests) waiting.push(child);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      // What an index lists under another type need not be a manifest.
      if (isManifestType(mediaType)) unreadable.set(digest, error.code);
      else content.add(digest);
    }
  }
  return { manifests, unreadable };
}

function describeMotes(
  kept: ReadonlyMap<Digest, StoredMote>,
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
      // A manifest may list it twice; one of them does.
      if (role.referredBy.at(-1) !== digest) role.referredBy.push(digest);
    }
  }
  for (const { name, descriptor } of tags) roleOf(roles, descriptor.digest).names.push(name);
  const motes = new Map<Digest, InventoryMote>();
  for (const [digest, mote] of kept) {
    const role = roles.get(digest);
    const manifest = manifests.get(digest);
    const as = manifest ? ([manifestKind(manifest), manifest.mediaType] as const) : role?.as;
    motes.set(digest, describe(mote, { as, role, isPinned: pins.has(digest) }));
  }
  return motes;
}

/** Field by field: there may be very many, and to spread an object takes several times as long. */
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
  /** How the first manifest that lists it sees it: kind and media type. */
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

/** Kinds of manifests. A container image is told by its configuration (image-spec, manifest.md, "Guidelines for Artifact Usage"). */
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

/** A manifest that stands by itself: it has a name, or no index in the cache lists it. */
export interface InventoryRoot {
  readonly digest: Digest;
  readonly names: readonly string[];
  readonly kind: MoteKind;
  readonly closure: ReadonlySet<Digest>;
  /** Bytes of what is stored of it. */
  readonly keptBytes: number;
  /** How much of it is not stored: other platforms of an index, or what was removed. Foreign layers are not missing. */
  readonly missing: number;
  /** Unix milliseconds: as `lastUseOf`, by which prune goes, too. */
  readonly usedMs?: number;
  readonly storedMs?: number;
  readonly isPinned: boolean;
}

/**
 * Returns when each mote was last used, in Unix milliseconds: what has a name, or stands by itself, as `rootsOf` says; everything else
 * by its own use.
 */
export function lastUses(inventory: Inventory): ReadonlyMap<Digest, number> {
  const uses = new Map<Digest, number>();
  for (const { digest, usedMs } of inventory.motes.values()) if (usedMs !== undefined) uses.set(digest, usedMs);
  for (const { digest, usedMs } of rootsOf(inventory)) if (usedMs !== undefined) uses.set(digest, usedMs);
  return uses;
}

/** In no particular order. A name whose manifest is not stored counts, with nothing stored of it. */
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

/** How much of a closure is stored, in bytes and motes, and how much is missing: foreign layers never are. */
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
    keptBytes: storedBytes,
    missing,
    ...(usedMs === undefined ? {} : { usedMs }),
    ...(own?.storedMs === undefined ? {} : { storedMs: own.storedMs }),
    isPinned: own?.isPinned ?? false,
  };
}
