import { type Inventory, type InventoryRoot, lastUses, type PruneReport, rootsOf, takeInventory } from "@mote/core";
import type { Context } from "../context.js";
import { confirm } from "../input/confirm.js";
import { UsageError } from "../input/usage-error.js";
import { shortDigest, skippedLine } from "../output/listing.js";
import { count, formatAge, formatBytes, parseBytes, parseDurationMs } from "../output/quantity.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { openCache } from "../wire.js";

interface PruneCommandOptions {
  readonly maxSize?: string | undefined;
  readonly olderThan?: string | undefined;
  readonly keepNewerThan?: string | undefined;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

export async function prune(context: Context, options: PruneCommandOptions): Promise<void> {
  const { out, signal } = context;
  const { maxSize, dryRun } = options;
  const bounds = readBounds(options);
  await using mote = await openCache(context);
  const inventory = await takeInventory(mote.cache, { signal });
  const run = (really: boolean) => mote.cache.prune(bounds.maxBytes, { ...bounds, dryRun: !really, signal });
  // A plan reads every blob, as prune does. With --yes, one run is enough, and its report is the plan.
  const first = await run(options.yes && !dryRun);
  const lines = planTable(context, first, inventory, options);
  if (dryRun) {
    out.result(documentOf(first, inventory, bounds), [...lines, ...report(first)]);
    if (!first.reached) warnTooLarge(context, first, maxSize);
    return;
  }
  for (const line of lines) out.note(line);
  const isAsked = !options.yes && first.removed.length > 0;
  if (isAsked && !(await confirm(context, `Remove ${formatBytes(first.removedBytes)}?`))) {
    out.note("Nothing removed.");
    return;
  }
  const done = options.yes ? first : await run(true);
  out.result(documentOf(done, inventory, bounds), report(done));
  if (!done.reached) warnTooLarge(context, done, maxSize);
}

interface Bounds {
  readonly maxBytes: number;
  readonly maxAgeMs?: number;
  readonly minAgeMs?: number;
}

function readBounds({ maxSize, olderThan, keepNewerThan }: PruneCommandOptions): Bounds {
  if (maxSize === undefined && olderThan === undefined) {
    throw new UsageError("prune requires --max-size SIZE, --older-than TIME, or both");
  }
  return {
    maxBytes: maxSize === undefined ? Number.MAX_SAFE_INTEGER : parseBytes(maxSize),
    ...(olderThan === undefined ? {} : { maxAgeMs: parseDurationMs(olderThan) }),
    ...(keepNewerThan === undefined ? {} : { minAgeMs: parseDurationMs(keepNewerThan) }),
  };
}

/** Returns what will be or was removed, and why. */
function planTable({ out }: Context, plan: PruneReport, inventory: Inventory, options: PruneCommandOptions): string[] {
  const gone = new Set(plan.removed.map(({ digest }) => digest));
  const roots = rootsOf(inventory).filter(({ digest }) => gone.has(digest));
  const inRoots = new Set(roots.flatMap(({ closure }) => [...closure]));
  const loose = plan.removed.filter(({ digest }) => !inRoots.has(digest));
  const looseBytes = loose.reduce((sum, { size }) => sum + size, 0);
  const nowMs = Date.now();
  const rows = roots
    .sort((one, other) => (one.usedMs ?? 0) - (other.usedMs ?? 0))
    .map((root) => [
      root.names.join(", ") || shortDigest(root.digest),
      formatBytes(bytesRemoved(root, inventory, gone)),
      root.usedMs === undefined ? "" : formatAge(nowMs - root.usedMs),
      reason(root.usedMs, nowMs, options),
    ]);
  if (loose.length > 0) rows.push([`(${count(loose.length, "unreferenced blob")})`, formatBytes(looseBytes), "", ""]);
  const columns: TableColumn[] = [
    { title: "REMOVE", elastic: true },
    { title: "SIZE", align: "right" },
    { title: "USED", align: "right" },
    { title: "REASON", optional: true },
  ];
  return textTable(columns, rows, { width: out.columns, style: out.style });
}

function bytesRemoved({ closure }: InventoryRoot, inventory: Inventory, gone: ReadonlySet<string>): number {
  let bytes = 0;
  for (const digest of closure) if (gone.has(digest)) bytes += inventory.motes.get(digest)?.size ?? 0;
  return bytes;
}

function reason(usedMs: number | undefined, nowMs: number, { olderThan, maxSize }: PruneCommandOptions): string {
  if (olderThan !== undefined && (usedMs ?? 0) < nowMs - parseDurationMs(olderThan)) return `unused for ${olderThan}`;
  return `cache over ${maxSize}`;
}

function report({ dryRun, untagged, skipped, quarantined, ...done }: PruneReport): string[] {
  const { removed, removedBytes, freedBytes, remainingBytes } = done;
  const verb = dryRun ? "would remove" : "removed";
  return [
    ...(quarantined === undefined
      ? []
      : [`${verb} ${count(quarantined.files, "quarantined file")}, ${formatBytes(quarantined.bytes)}`]),
    `${verb} ${count(removed.length, "mote")}, ${formatBytes(removedBytes)} (${formatBytes(freedBytes)} freed); ` +
      `${formatBytes(remainingBytes)} remaining`,
    ...untagged.map((name) => `${dryRun ? "would untag" : "untagged"} ${name}`),
    ...skipped.map(skippedLine),
  ];
}

function documentOf(report: PruneReport, inventory: Inventory, { maxBytes, maxAgeMs }: Bounds): object {
  const tooOld = maxAgeMs === undefined ? Number.NEGATIVE_INFINITY : Date.now() - maxAgeMs;
  const ofOldRoots = new Set(
    rootsOf(inventory).flatMap(({ usedMs = 0, closure }) => (usedMs < tooOld ? [...closure] : [])),
  );
  const lastUse = lastUses(inventory);
  const removed = report.removed.map((mote) => {
    const { kind, mediaType = mote.mediaType } = inventory.motes.get(mote.digest) ?? {};
    const usedMs = lastUse.get(mote.digest) ?? 0;
    const isOld = maxBytes === Number.MAX_SAFE_INTEGER || ofOldRoots.has(mote.digest) || usedMs < tooOld;
    return { ...mote, mediaType, kind, usedMs, reason: isOld ? "age" : "size" };
  });
  return { ...report, removed };
}

function warnTooLarge({ out }: Context, { dryRun }: PruneReport, maxSize: string | undefined): void {
  out.warn(
    `the cache ${dryRun ? "would still be" : "is still"} larger than ${maxSize}: the remaining content is pinned, in use, newer than --keep-newer-than, or could not be removed`,
  );
  process.exitCode = 1;
}
