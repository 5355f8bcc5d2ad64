import { closureOf, type Digest, type Inventory, MoteError, type PruneReport, takeInventory } from "@mote/core";
import type { Context } from "../context.js";
import { partsOf, shortDigest } from "../output/listing.js";
import { count, formatBytes } from "../output/quantity.js";
import { storedLine } from "../output/stored-line.js";
import { type OpenMote, openCache } from "../wire.js";

/** What is to be done about everything that was named. */
interface Plan {
  /** Names that go while what they stand for stays. */
  readonly names: Set<string>;
  /** What goes with all that nothing else refers to. */
  readonly closures: Set<Digest>;
  /** What goes by itself although a manifest lists it. */
  readonly parts: Set<Digest>;
  /** Content that was asked to go: of a name, its removal is enough where processes at work need the content. */
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
  const { parts, held } = await removeParts(mote, before, plan, signal);
  const removed = [...(report?.removed.map(({ digest }) => digest) ?? []), ...parts];
  const untagged = [...plan.names, ...(report?.untagged ?? [])];
  const removedBytes = bytesOf(before, removed);
  const left = await leftBehind(mote, before, plan);
  const skipped = [...(report?.skipped ?? []), ...held];
  out.result({ removed, untagged, removedBytes, freedBytes: report?.freedBytes ?? 0, leftBehind: left, skipped }, [
    ...untagged.map((name) => `untagged ${name}`),
    ...(removed.length <= 10 ? removed.map((digest) => `removed ${digest}`) : []),
    `${count(removed.length, "mote")} removed, ${formatBytes(removedBytes)}${remark(left, options.keepContent, skipped)}`,
    ...skipped.map(storedLine),
  ]);
  warnOfHoles(context, before, { ...plan, parts });
  if (skipped.some(({ digest }) => plan.wanted.has(digest))) process.exitCode = 1;
}

async function planFor(
  { dir, signal }: Context,
  mote: OpenMote,
  inventory: Inventory,
  { texts, keepContent }: { readonly texts: readonly string[]; readonly keepContent: boolean },
): Promise<Plan> {
  const plan: Plan = { names: new Set(), closures: new Set(), parts: new Set(), wanted: new Set() };
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
      plan.wanted.add(digest);
    } else {
      plan.closures.add(digest);
      // A name goes whatever clients hold. What is pinned keeps its name: to remove that takes an unpin.
      if (name !== undefined && !kept?.isPinned) plan.names.add(name);
      else plan.wanted.add(digest);
    }
  }
  return plan;
}

/** What processes at work need stays. */
async function removeParts(
  mote: OpenMote,
  before: Inventory,
  plan: Plan,
  signal: AbortSignal,
): Promise<{ readonly parts: Set<Digest>; readonly held: PruneReport["skipped"] }> {
  const parts = new Set<Digest>();
  const held: PruneReport["skipped"][number][] = [];
  for (const digest of plan.parts) {
    try {
      await mote.cache.removeMote(digest, { unlessLeased: true, signal });
      parts.add(digest);
    } catch (error) {
      if (!MoteError.isInstance(error) || error.code !== "MOTE_IN_USE") throw error;
      const { details = {} } = error;
      const holder = "holder" in details && typeof details.holder === "string" ? { holder: details.holder } : {};
      held.push({ digest, size: before.motes.get(digest)?.size ?? 0, reason: "leased", ...holder });
    }
  }
  return { parts, held };
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

function remark({ motes, bytes }: LeftBehind, keepContent: boolean, skipped: PruneReport["skipped"]): string {
  if (motes === 0) return "";
  const isHeld = skipped.some(({ reason }) => reason === "leased");
  const whose = isHeld ? "which processes at work, other names or images need" : "which other names or images need";
  const why = keepContent ? "until prune takes it" : whose;
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
