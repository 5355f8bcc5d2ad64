import { closureOf, type Digest, type Inventory, MoteError, takeInventory, type VerifyReport } from "@mote/core";
import type { Context } from "../context.js";
import { partsOf } from "../output/listing.js";
import { count, formatBytes, formatDuration } from "../output/quantity.js";
import { showProgress } from "../progress/transfer-progress.js";
import { showWork } from "../progress/work-progress.js";
import { incompleteManifests, missingBlobs, type OpenMote, openCache, partialIndexes } from "../wire.js";

/** What is not in order when all is done. */
interface Outcome {
  /** Names of images that lack something. */
  readonly incomplete: readonly string[];
  /** Only of a repair: what was damaged, unreadable or missing, and is here now. */
  readonly repaired: readonly Digest[];
  /** Only of a repair: what still is not here, and why. */
  readonly left: readonly { readonly digest: Digest; readonly reason: string }[];
  readonly tagErrors: readonly MoteError[];
}

export async function verify(
  context: Context,
  texts: readonly string[],
  options: { readonly repair: boolean; readonly offline: boolean },
): Promise<void> {
  const { out, signal } = context;
  const startMs = performance.now();
  await using mote = await openCache(context, { offline: options.offline });
  const inventory = await takeInventory(mote.cache, { signal });
  const wanted = await wantedDigests(mote, inventory, texts);
  const report = await hashAgain(context, mote, inventory, wanted);
  const durationMs = performance.now() - startMs;
  const outcome = options.repair ? await repair(context, mote, report) : await withoutRepair(context, mote, wanted);
  const { incomplete, repaired, left, tagErrors } = outcome;
  const quarantined = (await mote.cache.quarantined?.({ signal })) ?? { files: 0, bytes: 0 };
  out.result({ ...report, durationMs, incomplete, ...(options.repair ? { repaired, left } : {}), quarantined }, [
    `${count(report.motes, "mote")}, ${formatBytes(report.bytes)}: ${summary(report, outcome, options)}, after ${formatDuration(durationMs)}`,
    ...lines(report, outcome, inventory),
    ...tagErrors.map(({ message }) => message),
  ]);
  if (quarantined.files > 0) {
    const { files, bytes } = quarantined;
    out.note(`${count(files, "damaged file")}, ${formatBytes(bytes)}, set aside; \`mote prune\` removes them.`);
  }
  const partial = partialIndexes(inventory).filter(({ digest }) => wanted?.has(digest) !== false);
  if (partial.length > 0) {
    const what = partial.length === 1 ? "index has" : "indexes have";
    out.note(
      `${partial.length} ${what} some platforms alone, which is not damage; \`mote ls\` says how many, \`mote info\` which.`,
    );
  }
  const isBad = options.repair ? left.length > 0 : report.damaged.length > 0 || report.failed.length > 0;
  if ((isBad || incomplete.length > 0) && !options.repair) {
    out.note("`mote verify --repair` fetches what is damaged or missing from where it came from.");
  }
  if (isBad || incomplete.length > 0 || tagErrors.length > 0) process.exitCode = 1;
}

/** What was named, with all that is below it; undefined means everything. */
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

async function hashAgain(
  { out, signal }: Context,
  { cache }: OpenMote,
  inventory: Inventory,
  wanted: ReadonlySet<Digest> | undefined,
): Promise<VerifyReport> {
  if (!cache.verify) throw new TypeError("this cache cannot be verified");
  let [total, totalBytes] = [0, 0];
  for (const { digest, size } of inventory.motes.values()) {
    if (wanted?.has(digest) === false) continue;
    total++;
    totalBytes += size;
  }
  out.note(`Hashing ${count(total, "mote")}, ${formatBytes(totalBytes)} …`);
  const work = showWork(out, { label: "verifying", noun: "motes" });
  try {
    const report = await cache.verify({
      signal,
      ...(wanted === undefined ? {} : { skip: (digest) => !wanted.has(digest) }),
      onProgress: ({ motes, bytes }) => work.update({ done: motes, total, bytes, totalBytes }),
    });
    return withUnreadable(report, inventory, wanted);
  } finally {
    work.end();
  }
}

/** A damaged manifest was met by the inventory already, and so set aside before everything was hashed. */
function withUnreadable(
  report: VerifyReport,
  { unreadable, motes }: Inventory,
  wanted: ReadonlySet<Digest> | undefined,
): VerifyReport {
  const told = new Set([...report.damaged, ...report.failed].map(({ digest }) => digest));
  const met = [...unreadable].flatMap(([digest, code]) => {
    const isNews = code === "MOTE_CORRUPT" && !told.has(digest) && wanted?.has(digest) !== false;
    return isNews ? { digest, size: motes.get(digest)?.size ?? 0 } : [];
  });
  return { ...report, motes: report.motes + met.length, damaged: [...met, ...report.damaged] };
}

async function withoutRepair(
  { signal }: Context,
  { cache }: OpenMote,
  wanted: ReadonlySet<Digest> | undefined,
): Promise<Outcome> {
  const inventory = await takeInventory(cache, { signal });
  const incomplete = incompleteManifests(inventory).filter(({ digest }) => wanted?.has(digest) !== false);
  const names = incomplete.flatMap(({ digest, names }) => (names.length > 0 ? names : digest));
  return { incomplete: [...new Set(names)], repaired: [], left: [], tagErrors: inventory.tagErrors };
}

async function repair({ out, signal }: Context, mote: OpenMote, report: VerifyReport): Promise<Outcome> {
  const [damaged, unreadable] = [digestsOf(report.damaged), digestsOf(report.failed)];
  const missing = missingBlobs(await takeInventory(mote.cache, { signal }));
  const reasons = new Map<Digest, string>();
  const progress = showProgress(out);
  try {
    await mote.repair({
      signal,
      damaged,
      unreadable,
      onEvent: progress.onEvent,
      onFailure: ({ digest, reason }) => void reasons.set(digest, reason),
    });
  } finally {
    progress.end();
  }
  const after = await takeInventory(mote.cache, { signal });
  const repaired: Digest[] = [];
  const left: { digest: Digest; reason: string }[] = [];
  for (const digest of new Set([...damaged, ...unreadable, ...missing, ...missingBlobs(after)])) {
    if (await isSound(mote, digest, signal)) repaired.push(digest);
    else left.push({ digest, reason: reasons.get(digest) ?? "no location of it is known" });
  }
  const incomplete = incompleteManifests(after, new Set(damaged));
  return {
    incomplete: [...new Set(incomplete.flatMap(({ digest, names }) => (names.length > 0 ? names : digest)))],
    repaired,
    left,
    tagErrors: after.tagErrors,
  };
}

async function isSound({ cache }: OpenMote, digest: Digest, signal: AbortSignal): Promise<boolean> {
  try {
    return (await cache.moteIsSound?.(digest, { signal })) ?? (await cache.moteExists(digest, { signal }));
  } catch (error) {
    signal.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return false;
  }
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
  const done = options.repair ? [`${repaired.length} repaired`, `${left.length} left`] : [];
  const isWhole = found.length === 0 && incomplete.length === 0 && left.length === 0;
  if (isWhole) return repaired.length === 0 ? "all whole" : `all whole, ${repaired.length} repaired`;
  return [...(found.length > 0 ? found : ["none damaged"]), ...done].join(", ");
}

function lines({ damaged, failed }: VerifyReport, outcome: Outcome, inventory: Inventory): string[] {
  const partOf = partsOf(inventory);
  const repaired = new Set(outcome.repaired);
  const reasons = new Map(outcome.left.map(({ digest, reason }) => [digest, reason]));
  const told = new Set<Digest>();
  const line = (what: string, digest: Digest, otherwise: string) => {
    told.add(digest);
    const why = reasons.get(digest);
    const fate = repaired.has(digest)
      ? "fetched again"
      : `${otherwise}${why === undefined ? "" : `; not repaired: ${why}`}`;
    const names = [...new Set([...(inventory.motes.get(digest)?.names ?? []), ...(partOf.get(digest) ?? [])])];
    return `${what} ${digest}: ${fate}${names.length > 0 ? `; of ${names.join(", ")}` : ""}`;
  };
  return [
    ...damaged.map(({ digest, setAsideAs }) =>
      line("damaged", digest, `set aside${setAsideAs ? ` as ${setAsideAs}` : ""}`),
    ),
    ...failed.map(({ digest, reason }) => line("unreadable", digest, reason)),
    ...outcome.repaired.filter((digest) => !told.has(digest)).map((digest) => line("missing", digest, "")),
    ...outcome.left.filter(({ digest }) => !told.has(digest)).map(({ digest }) => line("missing", digest, "not here")),
    ...outcome.incomplete.map((name) => `not whole ${name}`),
  ];
}
