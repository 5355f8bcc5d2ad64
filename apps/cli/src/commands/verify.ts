import { closureOf, type Digest, type Inventory, type MoteError, takeInventory, type VerifyReport } from "@mote/core";
import type { Context } from "../context.js";
import { archiveIn } from "../input/archive-in.js";
import { imagesByMote } from "../output/listing.js";
import { count, formatBytes, formatDuration } from "../output/quantity.js";
import { showProgress } from "../progress/transfer-progress.js";
import { showWork } from "../progress/work-progress.js";
import {
  incompleteManifests,
  isIntact,
  missingBlobs,
  namesOfIncomplete,
  type OpenMote,
  openCache,
  partialIndexes,
} from "../wire.js";

/** What verify and repair found and left. */
interface Outcome {
  readonly incomplete: readonly string[];
  /** With --repair: what was damaged, unreadable or missing and is stored again. */
  readonly repaired: readonly Digest[];
  /** With --repair: what could not be repaired, and why. */
  readonly left: readonly { readonly digest: Digest; readonly reason: string }[];
  readonly tagErrors: readonly MoteError[];
}

export async function verify(
  context: Context,
  texts: readonly string[],
  options: { readonly repair: boolean; readonly offline: boolean },
): Promise<void> {
  const { out, signal } = context;
  const archive = texts.length === 1 ? await archiveIn(texts[0] ?? "") : undefined;
  if (archive !== undefined) return (await import("./archive.js")).verifyImages(context, archive);
  const startMs = performance.now();
  await using mote = await openCache(context, { offline: options.offline });
  const inventory = await takeInventory(mote.cache, { signal });
  const wanted = await wantedDigests(mote, inventory, texts);
  const report = await rehash(context, mote, inventory, wanted);
  const durationMs = performance.now() - startMs;
  const outcome = options.repair ? await repair(context, mote, report) : await withoutRepair(context, mote, wanted);
  const { incomplete, repaired, left, tagErrors } = outcome;
  const quarantined = (await mote.cache.quarantined?.({ signal })) ?? { files: 0, bytes: 0 };
  out.result({ ...report, durationMs, incomplete, ...(options.repair ? { repaired, left } : {}), quarantined }, [
    `${count(report.motes, "mote")}, ${formatBytes(report.bytes)}: ${summary(report, outcome, options)}, in ${formatDuration(durationMs)}`,
    ...lines(report, outcome, inventory),
    ...tagErrors.map(({ message }) => message),
  ]);
  if (quarantined.files > 0) {
    const { files, bytes } = quarantined;
    out.note(`${count(files, "quarantined file")}, ${formatBytes(bytes)}; remove with \`mote prune\`.`);
  }
  const partial = partialIndexes(inventory).filter(({ digest }) => wanted?.has(digest) !== false);
  if (partial.length > 0) {
    const what = partial.length === 1 ? "index has" : "indexes have";
    out.note(`${partial.length} ${what} only some platforms cached; see \`mote ls\` and \`mote info\`.`);
  }
  const isBad = options.repair ? left.length > 0 : report.damaged.length > 0 || report.failed.length > 0;
  if ((isBad || incomplete.length > 0) && !options.repair) {
    out.note("Run `mote verify --repair` to re-download damaged and missing content.");
  }
  if (isBad || incomplete.length > 0 || tagErrors.length > 0) process.exitCode = 1;
}

/** Returns the named motes with all their content. Undefined means everything. */
async function wantedDigests(
  mote: OpenMote,
  inventory: Inventory,
  texts: readonly string[],
): Promise<ReadonlySet<Digest> | undefined> {
  if (texts.length === 0) return undefined;
  const wanted = new Set<Digest>();
  for (const text of texts) {
    const { digest } = await mote.find(text);
    for (const each of closureOf(inventory, digest)) wanted.add(each);
  }
  return wanted;
}

async function rehash(
  { out, signal }: Context,
  { cache }: OpenMote,
  inventory: Inventory,
  wanted: ReadonlySet<Digest> | undefined,
): Promise<VerifyReport> {
  if (!cache.verify) throw new TypeError("this cache does not support verify");
  let [total, totalBytes] = [0, 0];
  for (const { digest, size } of inventory.motes.values()) {
    if (wanted?.has(digest) === false) continue;
    total++;
    totalBytes += size;
  }
  out.note(`Hashing ${count(total, "mote")}, ${formatBytes(totalBytes)} …`);
  using work = showWork(out, { label: "verifying", noun: "motes" });
  const report = await cache.verify({
    signal,
    ...(wanted === undefined ? {} : { skip: (digest) => !wanted.has(digest) }),
    onProgress: ({ motes, bytes }) => work.update({ done: motes, total, bytes, totalBytes }),
  });
  return withUnreadable(report, inventory, wanted);
}

/** Adds damaged manifests, which the inventory has read, and so quarantined, before the rehash. */
function withUnreadable(
  report: VerifyReport,
  { unreadable, motes }: Inventory,
  wanted: ReadonlySet<Digest> | undefined,
): VerifyReport {
  const reported = new Set([...report.damaged, ...report.failed].map(({ digest }) => digest));
  const added = [...unreadable].flatMap(([digest, code]) => {
    const isNew = code === "MOTE_CORRUPT" && !reported.has(digest) && wanted?.has(digest) !== false;
    return isNew ? { digest, size: motes.get(digest)?.size ?? 0 } : [];
  });
  return { ...report, motes: report.motes + added.length, damaged: [...added, ...report.damaged] };
}

async function withoutRepair(
  { signal }: Context,
  { cache }: OpenMote,
  wanted: ReadonlySet<Digest> | undefined,
): Promise<Outcome> {
  const inventory = await takeInventory(cache, { signal });
  const incomplete = incompleteManifests(inventory).filter(({ digest }) => wanted?.has(digest) !== false);
  return { incomplete: namesOfIncomplete(incomplete), repaired: [], left: [], tagErrors: inventory.tagErrors };
}

async function repair({ out, signal }: Context, mote: OpenMote, report: VerifyReport): Promise<Outcome> {
  const [damaged, unreadable] = [digestsOf(report.damaged), digestsOf(report.failed)];
  const missing = missingBlobs(await takeInventory(mote.cache, { signal }));
  const reasons = new Map<Digest, string>();
  using progress = showProgress(out);
  await mote.repair({
    signal,
    damaged,
    unreadable,
    onEvent: progress.onEvent,
    onFailure: ({ digest, reason }) => void reasons.set(digest, reason),
  });
  progress.end();
  const after = await takeInventory(mote.cache, { signal });
  const repaired: Digest[] = [];
  const left: { digest: Digest; reason: string }[] = [];
  for (const digest of new Set([...damaged, ...unreadable, ...missing, ...missingBlobs(after)])) {
    if (await isIntact(mote.cache, digest, { signal })) repaired.push(digest);
    else left.push({ digest, reason: reasons.get(digest) ?? "no location is known" });
  }
  const incomplete = incompleteManifests(after, new Set(damaged));
  return { incomplete: namesOfIncomplete(incomplete), repaired, left, tagErrors: after.tagErrors };
}

function digestsOf(found: readonly { readonly digest: Digest }[]): Digest[] {
  return found.map(({ digest }) => digest);
}

function summary(
  { damaged, failed }: VerifyReport,
  { incomplete, repaired, left }: Outcome,
  options: { readonly repair: boolean },
): string {
  const found = [
    ...(damaged.length > 0 ? [`${damaged.length} damaged`] : []),
    ...(failed.length > 0 ? [`${failed.length} unreadable`] : []),
  ];
  const done = options.repair ? [`${repaired.length} repaired`, `${left.length} not repaired`] : [];
  const isComplete = found.length === 0 && incomplete.length === 0 && left.length === 0;
  if (isComplete) return repaired.length === 0 ? "all verified" : `all verified, ${repaired.length} repaired`;
  return [...(found.length > 0 ? found : ["none damaged"]), ...done].join(", ");
}

function lines({ damaged, failed }: VerifyReport, outcome: Outcome, inventory: Inventory): string[] {
  const partOf = imagesByMote(inventory);
  const repaired = new Set(outcome.repaired);
  const reasons = new Map(outcome.left.map(({ digest, reason }) => [digest, reason]));
  const reported = new Set<Digest>();
  const line = (what: string, digest: Digest, otherwise: string) => {
    reported.add(digest);
    const why = reasons.get(digest);
    const outcomeText = repaired.has(digest)
      ? "re-downloaded"
      : `${otherwise}${why === undefined ? "" : `; not repaired: ${why}`}`;
    const names = [...new Set([...(inventory.motes.get(digest)?.names ?? []), ...(partOf.get(digest) ?? [])])];
    return `${what} ${digest}: ${outcomeText}${names.length > 0 ? `; in ${names.join(", ")}` : ""}`;
  };
  return [
    ...damaged.map(({ digest, setAsideAs }) =>
      line("damaged", digest, `quarantined${setAsideAs ? ` as ${setAsideAs}` : ""}`),
    ),
    ...failed.map(({ digest, reason }) => line("unreadable", digest, reason)),
    ...outcome.repaired.filter((digest) => !reported.has(digest)).map((digest) => line("missing", digest, "")),
    ...outcome.left
      .filter(({ digest }) => !reported.has(digest))
      .map(({ digest }) => line("missing", digest, "not cached")),
    ...outcome.incomplete.map((name) => `incomplete ${name}`),
  ];
}
