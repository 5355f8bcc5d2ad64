import {
  closureOf,
  type Digest,
  detailOf,
  hasCode,
  type Inventory,
  MoteError,
  type PruneReport,
  takeInventory,
} from "@mote/core";
import type { Context } from "../context.js";
import { imagesByMote, notCached, shortDigest, skippedLine } from "../output/listing.js";
import { count, formatBytes } from "../output/quantity.js";
import { type OpenMote, openCache } from "../wire.js";

/** What to do with each name and digest on the command line. */
interface Plan {
  /** Names to remove, while their content stays. */
  readonly names: Set<string>;
  /** Content to remove together with everything that nothing else refers to. */
  readonly closures: Set<Digest>;
  /** Motes to remove alone, although a manifest refers to them. */
  readonly single: Set<Digest>;
  /** Content that must be removed for success. For a name, removing the name is enough if a running process needs the content. */
  readonly wanted: Set<Digest>;
}

export async function rm(
  context: Context,
  texts: readonly string[],
  options: { readonly keepContent: boolean },
): Promise<void> {
  const { out, signal } = context;
  await using mote = await openCache(context);
  const before = await takeInventory(mote.cache, { signal });
  const plan = await planFor(context, mote, before, { texts, ...options });
  for (const name of plan.names) await mote.tags.untag(name, { signal });
  const report = await mote.cache.removeClosure?.(plan.closures, { signal });
  const { single, held } = await removeSingle(mote, before, plan, signal);
  const removed = [...(report?.removed.map(({ digest }) => digest) ?? []), ...single];
  const untagged = [...plan.names, ...(report?.untagged ?? [])];
  const removedBytes = bytesOf(before, removed);
  const left = await remaining(mote, before, plan);
  const skipped = [...(report?.skipped ?? []), ...held];
  out.result({ removed, untagged, removedBytes, freedBytes: report?.freedBytes ?? 0, leftBehind: left, skipped }, [
    ...untagged.map((name) => `untagged ${name}`),
    ...(removed.length <= 10 ? removed.map((digest) => `removed ${digest}`) : []),
    `removed ${count(removed.length, "mote")}, ${formatBytes(removedBytes)}${remark(left, options.keepContent, skipped)}`,
    ...skipped.map(skippedLine),
  ]);
  warnIncomplete(context, before, { ...plan, single });
  if (skipped.some(({ digest }) => plan.wanted.has(digest))) process.exitCode = 1;
}

async function planFor(
  { dir, signal }: Context,
  mote: OpenMote,
  inventory: Inventory,
  { texts, keepContent }: { readonly texts: readonly string[]; readonly keepContent: boolean },
): Promise<Plan> {
  const plan: Plan = { names: new Set(), closures: new Set(), single: new Set(), wanted: new Set() };
  // All are resolved first, so that a wrong last name removes nothing.
  const found = [];
  for (const text of texts) found.push(await mote.find(text));
  const named = new Set(found.flatMap(({ name }) => name ?? []));
  for (const { digest, name } of found) {
    const kept = inventory.motes.get(digest);
    const otherNames = (kept?.names ?? []).filter((other) => !named.has(other));
    if (name !== undefined && (keepContent || otherNames.length > 0 || kept === undefined)) {
      plan.names.add(name);
    } else if (kept === undefined && !(await mote.cache.moteExists(digest, { signal }))) {
      throw notCached(dir, digest);
    } else if (name === undefined && kept !== undefined && kept.names.length === 0 && kept.referredBy.length > 0) {
      if (kept.isPinned) throw pinnedError(digest);
      plan.single.add(digest);
      plan.wanted.add(digest);
    } else {
      plan.closures.add(digest);
      // A name is removed even if a client is using the content, but not if the image is pinned.
      if (name !== undefined && !kept?.isPinned) plan.names.add(name);
      else plan.wanted.add(digest);
    }
  }
  return plan;
}

/** Removes motes alone, except those that a running process needs. */
async function removeSingle(
  mote: OpenMote,
  before: Inventory,
  plan: Plan,
  signal: AbortSignal,
): Promise<{ readonly single: Set<Digest>; readonly held: PruneReport["skipped"] }> {
  const single = new Set<Digest>();
  const held: PruneReport["skipped"][number][] = [];
  for (const digest of plan.single) {
    try {
      await mote.cache.removeMote(digest, { unlessLeased: true, signal });
      single.add(digest);
    } catch (error) {
      if (!hasCode(error, "MOTE_IN_USE")) throw error;
      const holder = detailOf(error, "holder");
      const size = before.motes.get(digest)?.size ?? 0;
      held.push({ digest, size, reason: "leased", ...(typeof holder === "string" ? { holder } : {}) });
    }
  }
  return { single, held };
}

function pinnedError(digest: Digest): MoteError {
  return new MoteError("MOTE_PINNED", `cannot remove ${digest}: it is pinned; run \`mote unpin\` first`, {
    details: { digest },
  });
}

/** Returns how much of the removed images is still stored. */
async function remaining(mote: OpenMote, before: Inventory, { names, closures }: Plan): Promise<Remaining> {
  const roots = [
    ...closures,
    ...before.tags.filter(({ name }) => names.has(name)).map(({ descriptor }) => descriptor.digest),
  ];
  let [motes, bytes] = [0, 0];
  for (const digest of new Set(roots.flatMap((root) => [...closureOf(before, root)]))) {
    const size = before.motes.get(digest)?.size;
    if (size === undefined || !(await mote.cache.moteExists(digest))) continue;
    motes++;
    bytes += size;
  }
  return { motes, bytes };
}

interface Remaining {
  readonly motes: number;
  readonly bytes: number;
}

function remark({ motes, bytes }: Remaining, keepContent: boolean, skipped: PruneReport["skipped"]): string {
  if (motes === 0) return "";
  const isHeld = skipped.some(({ reason }) => reason === "leased");
  const users = isHeld ? "used by running processes, other names or other images" : "used by other names or images";
  const why = keepContent ? "for prune to remove" : users;
  return `; kept ${count(motes, "mote")}, ${formatBytes(bytes)}, ${why}`;
}

function bytesOf(inventory: Inventory, digests: readonly PruneReport["removed"][number]["digest"][]): number {
  return digests.reduce((sum, digest) => sum + (inventory.motes.get(digest)?.size ?? 0), 0);
}

function warnIncomplete({ out }: Context, before: Inventory, { single, closures }: Plan): void {
  if (single.size === 0) return;
  const partOf = imagesByMote(before);
  const gone = new Set([...closures].map(shortDigest));
  for (const digest of single) {
    const images = (partOf.get(digest) ?? []).filter((name) => !gone.has(name));
    if (images.length > 0)
      out.warn(`${images.join(", ")} is incomplete without ${shortDigest(digest)}; pull it again to restore it`);
  }
}
