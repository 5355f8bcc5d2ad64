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
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      places: known.locations.map(({ ref, seenMs }) => ({ location: locationText(ref), seenMs })),
      ...(tree === undefined ? {} : { tree: treeDocument(tree) }),
    },
    [
      ...facts({ found, usedMs, path, partOf, known, inventory }).map(
        ([label, value]) => `${label.padEnd(12)}${value}`,
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

function facts({ found, usedMs, path, partOf, known, inventory }: Facts): [string, string][] {
  const { digest, size, kind, mediaType, names, storedMs } = found;
  return [
    ["digest", digest],
    ...names.map((name): [string, string] => ["tag", name]),
    ["kind", kind],
    ["media type", mediaType],
    ["size", `${size} bytes (${formatBytes(size)})`],
    ...(inventory.manifests.has(digest) ? [["total", closureText(inventory, digest)] as [string, string]] : []),
    ...when("stored", storedMs),
    ...when("last used", usedMs),
    ["pinned", found.isPinned ? "yes" : "no"],
    ...(found.isVerified === undefined
      ? []
      : [
          ["verified", found.isVerified ? "yes, since its last change" : "no; it is hashed on use"] as [string, string],
        ]),
    ["path", path],
    ...partOf.map((name): [string, string] => ["part of", name]),
    ...known.locations.slice(0, shownPlaces).map(({ ref, seenMs }): [string, string] => {
      return [
        "seen at",
        `${locationText(ref)}${seenMs === undefined ? "" : `, ${formatAge(Date.now() - seenMs)} ago`}`,
      ];
    }),
    ...(known.untransformed === undefined || known.untransformed === digest
      ? []
      : [["uncompressed", known.untransformed] as [string, string]]),
  ];
}

function closureText(inventory: Inventory, digest: Digest): string {
  const { stored, storedBytes, missing } = measureClosure(inventory, digest);
  const text = `${formatBytes(storedBytes)} in ${count(stored, "mote")}`;
  return missing === 0 ? text : `${text}; ${missing} not cached`;
}

function when(label: string, timeMs: number | undefined): [string, string][] {
  if (timeMs === undefined) return [];
  const at = new Date(timeMs).toISOString().replace("T", " ").slice(0, 19);
  return [[label, `${formatAge(Date.now() - timeMs)} ago (${at} UTC)`]];
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
