import {
  type Digest,
  type Inventory,
  type InventoryMote,
  type KnownLocations,
  lastUses,
  measureClosure,
  takeInventory,
} from "@mote/core";
import type { Context } from "../context.js";
import { imageTree, shortMediaType, type TreeNode, treeLines } from "../output/image-tree.js";
import { imagesByMote, moteDocument, notCached, shortDigest } from "../output/listing.js";
import { locationText } from "../output/location-text.js";
import { count, formatAge, formatBytes } from "../output/quantity.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { openReadOnly } from "../wire.js";

/** Annotations that describe an image (image-spec, annotations.md). */
const notable = ["title", "version", "created", "revision", "source", "url", "description", "base.name"];
const shownPlaces = 5;

export async function info(context: Context, text: string): Promise<void> {
  const { out, dir, signal } = context;
  await using mote = await openReadOnly(context);
  const { digest } = await mote.find(text);
  const inventory = await takeInventory(mote.cache, { signal });
  const found = inventory.motes.get(digest);
  if (found === undefined) throw notCached(dir, digest);
  const manifest = inventory.manifests.get(digest);
  const tree = manifest === undefined ? undefined : imageTree(inventory, found);
  const known = await mote.knownLocations(digest, { signal });
  const path = mote.cache.moteRef(digest);
  const partOf = imagesByMote(inventory).get(digest) ?? [];
  const annotations = manifest?.annotations ?? {};
  const usedMs = lastUses(inventory).get(digest);
  out.result(
    {
      ...moteDocument(found, usedMs, partOf),
      path,
      annotations: Object.keys(annotations).length === 0 ? undefined : annotations,
      places: known.locations.map(({ ref, seenMs }) => ({ location: locationText(ref), seenMs })),
      tree: tree && treeDocument(tree),
    },
    [
      ...facts({ found, usedMs, path, partOf, known, inventory }).flatMap(([label, value]) =>
        value === undefined ? [] : `${label.padEnd(12)}${value}`,
      ),
      ...notes(annotations),
      ...(tree === undefined ? [] : ["", ...drawTree(context, tree)]),
    ],
  );
}

interface Facts {
  readonly found: InventoryMote;
  readonly usedMs: number | undefined;
  readonly path: string;
  readonly partOf: readonly string[];
  readonly known: KnownLocations;
  readonly inventory: Inventory;
}

function facts({ found, usedMs, path, partOf, known, inventory }: Facts): [string, string | undefined][] {
  const { untransformed } = known;
  const { digest, size, kind, mediaType, names, storedMs, isVerified } = found;
  return [
    ["digest", digest],
    ...names.map((name): [string, string] => ["tag", name]),
    ["kind", kind],
    ["media type", mediaType],
    ["size", `${size} bytes (${formatBytes(size)})`],
    ["total", inventory.manifests.has(digest) ? closureText(inventory, digest) : undefined],
    ["stored", when(storedMs)],
    ["last used", when(usedMs)],
    ["pinned", found.isPinned ? "yes" : "no"],
    [
      "verified",
      isVerified ? "yes, since its last change" : isVerified === false ? "no; it is hashed on use" : undefined,
    ],
    ["path", path],
    ...partOf.map((name): [string, string] => ["part of", name]),
    ...known.locations.slice(0, shownPlaces).map(({ ref, seenMs }): [string, string] => {
      const age = seenMs === undefined ? "" : `, ${formatAge(Date.now() - seenMs)} ago`;
      return ["seen at", `${locationText(ref)}${age}`];
    }),
    ["uncompressed", untransformed === digest ? undefined : untransformed],
  ];
}

function closureText(inventory: Inventory, digest: Digest): string {
  const { stored, storedBytes, missing } = measureClosure(inventory, digest);
  const text = `${formatBytes(storedBytes)} in ${count(stored, "mote")}`;
  return missing === 0 ? text : `${text}; ${missing} not cached`;
}

function when(timeMs: number | undefined): string | undefined {
  if (timeMs === undefined) return undefined;
  const at = new Date(timeMs).toISOString().replace("T", " ").slice(0, 19);
  return `${formatAge(Date.now() - timeMs)} ago (${at} UTC)`;
}

function notes(annotations: Readonly<Record<string, string>>): string[] {
  return notable.flatMap((name) => {
    const text = annotations[`org.opencontainers.image.${name}`];
    return text === undefined ? [] : `${name.padEnd(12)}${text}`;
  });
}

function drawTree({ out }: Context, tree: TreeNode): string[] {
  const { style, columns: width } = out;
  const columns: TableColumn[] = [
    { title: "TREE" },
    { title: "DIGEST", style: style.dim },
    { title: "SIZE", align: "right" },
    { title: "CACHED", style: style.yellow },
    { title: "TYPE", elastic: true },
  ];
  const rows = treeLines(tree).map(({ branch, node }) => [
    `${branch}${node.role || node.kind}`,
    shortDigest(node.digest),
    formatBytes(node.size),
    node.isStored ? "" : "not cached",
    node.artifactType ?? shortMediaType(node.mediaType),
  ]);
  return textTable(columns, rows, { width, style });
}

function treeDocument({ isStored, children, ...node }: TreeNode): object {
  return { ...node, kept: isStored, children: children.map(treeDocument) };
}
