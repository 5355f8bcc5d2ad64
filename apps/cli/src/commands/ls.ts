import { type Inventory, lastUses, rootsOf, takeInventory } from "@mote/core";
import type { Context } from "../context.js";
import { archiveIn } from "../input/archive-in.js";
import {
  imagesByMote,
  type ListedItem,
  listedMotes,
  listedRoots,
  moteDocument,
  shortDigest,
} from "../output/listing.js";
import { type ListingOptions, listingFilter, listingOrder } from "../output/listing-options.js";
import { count, formatAge, formatBytes } from "../output/quantity.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { incompleteManifests, openReadOnly, partialIndexes } from "../wire.js";

interface LsOptions extends ListingOptions {
  readonly all: boolean;
  readonly full: boolean;
}

export async function ls(context: Context, patterns: readonly string[], options: LsOptions): Promise<void> {
  const { out, dir, signal } = context;
  const archive = patterns.length === 1 ? await archiveIn(patterns[0] ?? "") : undefined;
  if (archive !== undefined) return (await import("./archive.js")).listImages(context, archive, options);
  const [isWanted, order] = [listingFilter(patterns, options), listingOrder(options)];
  await using mote = await openReadOnly(context);
  const inventory = await takeInventory(mote.cache, { signal });
  const items = (options.all ? listedMotes(inventory) : listedRoots(inventory)).filter(isWanted).sort(order);
  out.result(
    out.json ? documentOf(inventory, isWanted, order) : [],
    out.json ? [] : lines(context, inventory, items, options),
  );
  for (const [digest, code] of inventory.unreadable) {
    out.warn(`cannot read manifest ${digest} (${code}); its content is listed separately; run \`mote verify\``);
  }
  for (const { message } of inventory.tagErrors) out.warn(message);
  if (inventory.motes.size === 0) out.note(`The cache in ${dir} is empty.`);
  else if (items.length === 0) out.note("No items match.");
  else if (out.columns !== undefined && !options.all) out.note(summary(inventory));
}

function lines({ out }: Context, inventory: Inventory, items: readonly ListedItem[], { full }: LsOptions): string[] {
  const { style } = out;
  const columns: TableColumn[] = [
    { title: "NAME", elastic: true },
    { title: "DIGEST", style: style.dim },
    { title: "KIND" },
    { title: "SIZE", align: "right" },
    { title: "AGE", align: "right", optional: true },
    { title: "USED", align: "right" },
    { title: "NOTE", style: style.yellow },
  ];
  const nowMs = Date.now();
  const broken = new Set(incompleteManifests(inventory).flatMap(({ digest, names }) => [digest, ...names]));
  const isBroken = ({ digest, name }: ListedItem) => broken.has(digest) || (name !== undefined && broken.has(name));
  const partial = new Map(partialIndexes(inventory).map((index) => [index.digest, index]));
  const platforms = ({ digest }: ListedItem) => {
    const index = partial.get(digest);
    return index === undefined ? [] : [`${index.stored} of ${count(index.listed, "platform")}`];
  };
  const ago = (timeMs: number | undefined) => (timeMs === undefined ? "" : formatAge(nowMs - timeMs));
  const rows = items.map((item) => [
    nameOf(item),
    full ? item.digest : shortDigest(item.digest),
    item.kind,
    formatBytes(item.bytes),
    ago(item.storedMs),
    ago(item.usedMs),
    [...(item.isPinned ? ["pinned"] : []), ...(isBroken(item) ? ["incomplete"] : []), ...platforms(item)].join(", "),
  ]);
  return textTable(columns, rows, { width: full ? undefined : out.columns, style });
}

function nameOf({ name, partOf, refersTo }: ListedItem): string {
  if (name !== undefined) return name;
  if (partOf.length > 0) return `in ${andMore(partOf)}`;
  return refersTo.length > 0 ? `for ${andMore(refersTo)}` : "-";
}

function andMore([first, ...others]: readonly string[]): string {
  return `${first}${others.length > 0 ? ` +${others.length}` : ""}`;
}

function summary(inventory: Inventory): string {
  const roots = rootsOf(inventory);
  const isIn = new Set(roots.flatMap(({ closure }) => [...closure]));
  const none = { motes: 0, bytes: 0 };
  const [inRoots, loose] = [{ ...none }, { ...none }];
  for (const { digest, size } of inventory.motes.values()) {
    const tally = isIn.has(digest) ? inRoots : loose;
    tally.motes++;
    tally.bytes += size;
  }
  const images = `${count(roots.length, "image")} with ${count(inRoots.motes, "mote")}, ${formatBytes(inRoots.bytes)}`;
  return [
    ...(roots.length > 0 ? [`${images} (--all lists all motes)`] : []),
    ...(loose.motes > 0 ? [`${count(loose.motes, "unreferenced blob")}, ${formatBytes(loose.bytes)}`] : []),
  ].join("; ");
}

/** Returns the JSON document: every matching mote once, with all details. */
function documentOf(
  inventory: Inventory,
  isWanted: (item: ListedItem) => boolean,
  order: (one: ListedItem, other: ListedItem) => number,
): object[] {
  const roots = new Map(rootsOf(inventory).map((root) => [root.digest, root]));
  const partOf = imagesByMote(inventory);
  const lastUse = lastUses(inventory);
  const listed = listedMotes(inventory).filter(isWanted).sort(order);
  return [...new Set(listed.map(({ digest }) => digest))].flatMap((digest) => {
    const mote = inventory.motes.get(digest);
    const root = roots.get(digest);
    const subject = inventory.manifests.get(digest)?.subject?.digest;
    if (mote === undefined) return [];
    const document = moteDocument(mote, lastUse.get(digest), partOf.get(digest) ?? []);
    return { ...document, subject, totalBytes: root?.storedBytes, missing: root?.missing };
  });
}
