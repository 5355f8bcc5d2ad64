import type { BlobFact, FactTime, LocationFact, PairFact, TransformerFact } from "./blob-fact.js";
import { UNKNOWN_TRANSFORMER } from "./blob-info-cache.js";
import type { FactRows } from "./fact-rows.js";
import type { Logger } from "./logger.js";
import { laterTransformer, transformerServes } from "./transformer-name.js";

export interface ApplyOptions {
  /** Hears of facts that contradict an earlier one. */
  readonly warn: Logger["warn"];
  /** Evidence that a blob is gone counts no more if it is older than this, in Unix milliseconds. */
  readonly oldestAbsenceMs: number;
}

/**
 * Writes a fact into a store's rows; what is known already and newer stays. One rule for a record made here and for one that
 * is merged: the first is always the newest. Answers whether anything changed.
 */
export function applyFact(rows: FactRows, fact: BlobFact, options: ApplyOptions): boolean {
  switch (fact.fact) {
    case "pair":
      return applyPair(rows, fact, options.warn);
    case "transformer":
      return applyTransformer(rows, fact, options.warn);
    default:
      return applyLocation(rows, fact, options.oldestAbsenceMs);
  }
}

/** Takes a fact out, unless it has been renewed since it was read. Answers whether it was there. */
export function removeFact(rows: FactRows, fact: BlobFact): boolean {
  if (fact.fact === "location" || fact.fact === "absence") {
    if (rows.sighting(fact, fact.location)?.sequence !== fact.sequence) return false;
    rows.removeSighting(fact, fact.location);
    return true;
  }
  const { pair, transformer } = rows.digestRow(fact.digest) ?? {};
  if (fact.fact === "transformer") {
    if (transformer?.sequence !== fact.sequence) return false;
    rows.setDigestRow(fact.digest, pair === undefined ? {} : { pair });
    return true;
  }
  if (pair?.sequence !== fact.sequence) return false;
  rows.setDigestRow(fact.digest, transformer === undefined ? {} : { transformer });
  rows.removeForm(pair.untransformed, fact.digest);
  return true;
}

function applyPair(rows: FactRows, fact: PairFact, warn: Logger["warn"]): boolean {
  const { digest, untransformed } = fact;
  const row = rows.digestRow(digest) ?? {};
  const { pair } = row;
  if (pair !== undefined && !wins(fact, pair, untransformed > pair.untransformed)) return false;
  if (pair !== undefined && pair.untransformed !== untransformed) {
    warn("the untransformed digest of a blob was recorded differently before; the later record stays", {
      digest,
      before: pair.untransformed,
      now: untransformed,
    });
    rows.removeForm(pair.untransformed, digest);
  }
  rows.setDigestRow(digest, { ...row, pair: { untransformed, ...timeOf(fact) } });
  if (digest === untransformed) return true;
  rows.addForm(untransformed, digest);
  markUntransformed(rows, untransformed, timeOf(fact));
  return true;
}

/** The plain form of something is plain itself, unless something else was recorded of it. */
function markUntransformed(rows: FactRows, untransformed: PairFact["digest"], time: FactTime): void {
  const row = rows.digestRow(untransformed) ?? {};
  const { pair } = row;
  if (pair !== undefined && (pair.untransformed !== untransformed || pair.sequence >= time.sequence)) return;
  rows.setDigestRow(untransformed, { ...row, pair: { untransformed, ...time } });
}

function applyTransformer(rows: FactRows, fact: TransformerFact, warn: Logger["warn"]): boolean {
  const { digest, name } = fact;
  const row = rows.digestRow(digest) ?? {};
  const { transformer: known, ...rest } = row;
  const later = known === undefined || wins(fact, known, name > known.name);
  if (name === UNKNOWN_TRANSFORMER) {
    if (known === undefined || !later) return false;
    rows.setDigestRow(digest, rest);
    return true;
  }
  const settled = settleName(known?.name, name, later);
  if (!later && settled === known?.name) return false;
  if (known !== undefined && later && settled !== known.name && !transformerServes(name, known.name)) {
    warn("the transformer of a blob was recorded differently before; the later record stays", {
      digest,
      before: known.name,
      now: name,
    });
  }
  const time = later || known === undefined ? timeOf(fact) : timeOf(known);
  rows.setDigestRow(digest, { ...rest, transformer: { name: settled, ...time } });
  return true;
}

function settleName(known: string | undefined, name: string, later: boolean): string {
  if (known === undefined) return name;
  return later ? laterTransformer(known, name) : laterTransformer(name, known);
}

function applyLocation(rows: FactRows, fact: LocationFact, oldestAbsenceMs: number): boolean {
  const gone = fact.fact === "absence";
  const known = rows.sighting(fact, fact.location);
  const counts = known !== undefined && !(known.gone && known.lastSeenMs < oldestAbsenceMs);
  if (counts && !wins(fact, known, gone && !known.gone)) return false;
  rows.setSighting(fact, { location: fact.location, gone, ...timeOf(fact) });
  return true;
}

/** Equal sequences come from two machines; then the same one must win on both. */
function wins(fact: FactTime, known: FactTime, winsTie: boolean): boolean {
  return fact.sequence === known.sequence ? winsTie : fact.sequence > known.sequence;
}

function timeOf({ sequence, lastSeenMs }: FactTime): FactTime {
  return { sequence, lastSeenMs };
}
