import { closureOf, type Digest, type Inventory, MoteError, type PruneReport, takeInventory } from "@mote/core";
import type { Context } from "../context.js";
import { partsOf, shortDigest } from "../listing.js";
import { count, formatBytes } from "../quantity.js";
import { type OpenMote, openHouse } from "../wire.js";

/** What is to be done about everything that was named. */
interface Plan {
  /** Names that go while what they stand for stays. */
  readonly names: Set<string>;
  /** What goes with all that nothing else refers to. */
  readonly closures: Set<Digest>;
  /** What goes by itself although a manifest lists it. */
  readonly parts: Set<Digest>;
}

export async function rm(
  context: Context,
  texts: readonly string[],
  options: { readonly keepContent: boolean },
): Promise<void> {
  const { out, signal } = context;
  await using mote = await openHouse(context);
  const before = await takeInventory(mote.cache, { signal });
  const plan = await planFor(context, mote, before, { texts, ...options });
  for (const name of plan.names) await mote.tags.untag(name, { signal });
  const report = await mote.cache.removeClosure?.(plan.closures, { signal });
  for (const digest of plan.parts) await mote.cache.removeMote(digest, { signal });
  const removed = [...(report?.removed.map(({ digest }) => digest) ?? []), ...plan.parts];
  const untagged = [...plan.names, ...(report?.untagged ?? [])];
  const removedBytes = bytesOf(before, removed);
  const left = await leftBehind(mote, before, plan);
  const skipped = report?.skipped ?? [];
  out.result({ removed, untagged, removedBytes, freedBytes: report?.freedBytes ?? 0, leftBehind: left, skipped }, [
    ...untagged.map((name) => `untagged ${name}`),
    ...(removed.length <= 10 ? removed.map((digest) => `removed ${digest}`) : []),
    `${count(removed.length, "mote")} removed, ${formatBytes(removedBytes)}${remark(left, options.keepContent)}`,
    ...skipped.map(({ digest, size, reason }) => `kept ${digest}, ${formatBytes(size)}: ${reason}`),
  ]);
  warnOfHoles(context, before, plan);
  if (plan.closures.size > 0 && skipped.some(({ digest }) => plan.closures.has(digest))) process.exitCode = 1;
}

async function planFor(
  { dir, signal }: Context,
  mote: OpenMote,
  inventory: Inventory,
  { texts, keepContent }: { readonly texts: readonly string[]; readonly keepContent: boolean },
): Promise<Plan> {
  const plan: Plan = { names: new Set(), closures: new Set(), parts: new Set() };
  // First everything is found: a typing error in the last name removes nothing.
  const found = [];
  for (const text of texts) found.push(await mote.find(text));
  const named = new Set(found.flatMap(({ name }) => name ?? []));
  for (const { digest, name } of found) {
    const kept = inventory.motes.get(digest);
    const otherNames = (kept?.names ?? []).filter((other) => !named.has(other));
    if (name !== undefined && (keepContent || otherNames.length > 0 || kept === undefined)) {
      plan.names.add(name);
    } else if (kept === undefined && !(await mote.cache.moteExists(digest, { signal }))) {
      throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache ${dir}; \`mote ls\` lists what is`);
    } else if (name === undefined && kept !== undefined && kept.names.length === 0 && kept.referredBy.length > 0) {
      if (kept.isPinned) throw pinnedError(digest);
      plan.parts.add(digest);
    } else {
      plan.closures.add(digest);
    }
  }
  return plan;
}

function pinnedError(digest: Digest): MoteError {
  return new MoteError("MOTE_PINNED", `${digest} is pinned; \`mote unpin\` it first`, { details: { digest } });
}

/** Of what was below the named, what is still there. */
async function leftBehind(mote: OpenMote, before: Inventory, { names, closures }: Plan): Promise<LeftBehind> {
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

interface LeftBehind {
  readonly motes: number;
  readonly bytes: number;
}

function remark({ motes, bytes }: LeftBehind, keepContent: boolean): string {
  if (motes === 0) return "";
  const why = keepContent ? "until prune takes it" : "which other names or images need";
  return `; left: ${count(motes, "mote")}, ${formatBytes(bytes)}, ${why}`;
}

function bytesOf(inventory: Inventory, digests: readonly PruneReport["removed"][number]["digest"][]): number {
  return digests.reduce((sum, digest) => sum + (inventory.motes.get(digest)?.size ?? 0), 0);
}

function warnOfHoles({ out }: Context, before: Inventory, { parts, closures }: Plan): void {
  if (parts.size === 0) return;
  const partOf = partsOf(before);
  const gone = new Set([...closures].map(shortDigest));
  for (const digest of parts) {
    const images = (partOf.get(digest) ?? []).filter((name) => !gone.has(name));
    if (images.length > 0)
      out.warn(`without ${shortDigest(digest)}, ${images.join(", ")} is not whole; pull it to have it back`);
  }
}
