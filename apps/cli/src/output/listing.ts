import {
  type Digest,
  digestEncoded,
  type Inventory,
  type InventoryMote,
  type InventoryRoot,
  lastUses,
  MoteError,
  type PruneReport,
  rootsOf,
} from "@mote/core";
import { formatBytes } from "./quantity.js";

/** A line of `mote ls`: a name, a manifest without one, or a blob. */
export interface ListedItem {
  readonly digest: Digest;
  readonly name: string | undefined;
  readonly kind: InventoryMote["kind"];
  /** Bytes. For a root, the stored size of everything that it refers to. */
  readonly bytes: number;
  readonly usedMs: number | undefined;
  readonly storedMs: number | undefined;
  readonly isPinned: boolean;
  /** Names, or else digests, of the images that contain it. */
  readonly partOf: readonly string[];
  /** For a referrer, such as a signature: the names, or else the digest, of its subject. */
  readonly refersTo: readonly string[];
}

/** Returns an item for each name, each manifest without a name and each unreferenced blob. */
export function listedRoots(inventory: Inventory): ListedItem[] {
  const roots = rootsOf(inventory);
  const items = roots.flatMap((root) =>
    (root.names.length === 0 ? [undefined] : root.names).map((name) => rootItem(inventory, root, name)),
  );
  const isIn = new Set(roots.flatMap(({ closure }) => [...closure]));
  for (const mote of inventory.motes.values())
    if (!isIn.has(mote.digest))
      items.push(moteItem(inventory, mote, { name: undefined, partOf: [], usedMs: mote.usedMs }));
  return items;
}

export function listedMotes(inventory: Inventory): ListedItem[] {
  const partOf = imagesByMote(inventory);
  const lastUse = lastUses(inventory);
  return [...inventory.motes.values()].flatMap((mote) =>
    (mote.names.length === 0 ? [undefined] : mote.names).map((name) =>
      moteItem(inventory, mote, {
        name,
        partOf: partOf.get(mote.digest) ?? [],
        usedMs: lastUse.get(mote.digest),
      }),
    ),
  );
}

/** Returns for each mote the names, or else the digest, of the images that contain it. */
export function imagesByMote(inventory: Inventory): Map<Digest, string[]> {
  const partOf = new Map<Digest, string[]>();
  for (const { digest, names, closure } of rootsOf(inventory)) {
    const shown = names.length > 0 ? names : [shortDigest(digest)];
    for (const each of closure) if (each !== digest) partOf.set(each, [...(partOf.get(each) ?? []), ...shown]);
  }
  return partOf;
}

function rootItem(inventory: Inventory, root: InventoryRoot, name: string | undefined): ListedItem {
  const { digest, kind, storedBytes, usedMs, storedMs, isPinned } = root;
  const refersTo = subjectOf(inventory, digest);
  return { digest, name, kind, bytes: storedBytes, usedMs, storedMs, isPinned, partOf: [], refersTo };
}

function subjectOf(inventory: Inventory, digest: Digest): readonly string[] {
  const subject = inventory.manifests.get(digest)?.subject?.digest;
  if (subject === undefined) return [];
  const names = inventory.motes.get(subject)?.names ?? [];
  return names.length > 0 ? names : [shortDigest(subject)];
}

function moteItem(
  inventory: Inventory,
  mote: InventoryMote,
  { name, partOf, usedMs }: Pick<ListedItem, "name" | "partOf" | "usedMs">,
): ListedItem {
  const { digest, kind, size: bytes, storedMs, isPinned } = mote;
  const refersTo = subjectOf(inventory, digest);
  return { digest, name, kind, bytes, usedMs, storedMs, isPinned, partOf, refersTo };
}

/** Shortens a digest to its algorithm and twelve digits. */
export function shortDigest(digest: Digest): string {
  const encoded = digestEncoded(digest);
  return digest.slice(0, digest.length - encoded.length + 12);
}

export function notCached(dir: string | undefined, digest: Digest): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `not in the cache ${dir}: ${digest}; list its content with \`mote ls\``);
}

/** Returns the line for a mote that was not removed, with the reason. */
export function skippedLine({ digest, size, reason, holder }: PruneReport["skipped"][number]): string {
  return `skipped ${digest}, ${formatBytes(size)}: ${reason === "leased" && holder !== undefined ? `in use by ${holder}` : reason}`;
}

/** Returns the fields of a mote that the JSON documents of `ls` and `info` share. */
export function moteDocument(mote: InventoryMote, usedMs: number | undefined, partOf: readonly string[]) {
  const { digest, size, kind, mediaType, names, isPinned, isVerified, storedMs, referredBy } = mote;
  const known = { verified: isVerified, usedMs, storedMs };
  return { digest, size, kind, mediaType, tags: names, pinned: isPinned, ...known, referredBy, partOf };
}
