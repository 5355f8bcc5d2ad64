import { closureOf, type Digest, type Inventory, takeInventory, type VerifyReport } from "@mote/core";
import type { Context } from "../context.js";
import { partsOf } from "../listing.js";
import { showProgress } from "../progress/transfer-progress.js";
import { showWork } from "../progress/work-progress.js";
import { count, formatBytes, formatDuration } from "../quantity.js";
import { incompleteManifests, type OpenMote, openHouse } from "../wire.js";

export async function verify(
  context: Context,
  texts: readonly string[],
  options: { readonly repair: boolean },
): Promise<void> {
  const { out, signal } = context;
  const startMs = performance.now();
  await using mote = await openHouse(context);
  const inventory = await takeInventory(mote.cache, { signal });
  const wanted = await wantedDigests(mote, inventory, texts);
  const report = await hashAgain(context, mote, inventory, wanted);
  const durationMs = performance.now() - startMs;
  const isDamaged = report.damaged.length > 0;
  const incomplete = options.repair ? await repair(context, mote, report) : await withHoles(context, mote, wanted);
  const repaired = options.repair ? await whatIsBack(mote, report.damaged) : [];
  out.result({ ...report, durationMs, incomplete, ...(options.repair ? { repaired } : {}) }, [
    `${count(report.motes, "mote")}, ${formatBytes(report.bytes)}: ` +
      `${isDamaged ? `${report.damaged.length} damaged` : incomplete.length > 0 ? "none damaged" : "all whole"}, after ${formatDuration(durationMs)}`,
    ...damageLines(report, inventory, repaired),
    ...report.failed.map(({ digest, reason }) => `unreadable ${digest}: ${reason}`),
    ...incomplete.map((name) => `not whole ${name}${options.repair ? ": it could not be fetched anew" : ""}`),
  ]);
  if ((isDamaged || incomplete.length > 0) && !options.repair) {
    out.note("`mote verify --repair` fetches what images lack from where they came from.");
  }
  if (report.damaged.length > repaired.length || report.failed.length > 0 || incomplete.length > 0)
    process.exitCode = 1;
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

/** Names of images that lack something. */
async function withHoles(
  { signal }: Context,
  { cache }: OpenMote,
  wanted: ReadonlySet<Digest> | undefined,
): Promise<string[]> {
  const inventory = await takeInventory(cache, { signal });
  const incomplete = incompleteManifests(inventory).filter(({ digest }) => wanted?.has(digest) !== false);
  return [...new Set(incomplete.flatMap(({ digest, names }) => (names.length > 0 ? names : digest)))];
}

async function repair({ out, signal }: Context, mote: OpenMote, { damaged }: VerifyReport): Promise<string[]> {
  const progress = showProgress(out);
  try {
    return await mote.repair({ signal, damaged: damaged.map(({ digest }) => digest), onEvent: progress.onEvent });
  } finally {
    progress.end();
  }
}

function damageLines({ damaged }: VerifyReport, inventory: Inventory, repaired: readonly string[]): string[] {
  const partOf = partsOf(inventory);
  return damaged.map(({ digest, setAsideAs }) => {
    const fate = repaired.includes(digest) ? "fetched anew" : `set aside${setAsideAs ? ` as ${setAsideAs}` : ""}`;
    const names = [...(inventory.motes.get(digest)?.names ?? []), ...(partOf.get(digest) ?? [])];
    return `damaged ${digest}: ${fate}${names.length > 0 ? `; of ${names.join(", ")}` : ""}`;
  });
}

async function whatIsBack({ cache }: OpenMote, damaged: VerifyReport["damaged"]): Promise<string[]> {
  const back: string[] = [];
  for (const { digest } of damaged) if (await cache.moteExists(digest)) back.push(digest);
  return back;
}
