import { type Logger, UNKNOWN_TRANSFORMER } from "@mote/core";
import type { BlobFact, FactTime, LocationFact, PairFact, TransformerFact } from "./blob-fact.js";
import type { DigestRow, FactRows } from "./fact-rows.js";
import { mergeTransformerNames, transformerSatisfies } from "./transformer-name.js";

export interface ApplyOptions {
  /** Hears of facts that contradict an earlier one. */
  readonly warn: Logger["warn"];
  /** Evidence that a blob is gone counts no more if it is older than this, in Unix milliseconds. */
  readonly oldestNegativeMs: number;
}

/**
 * Writes a fact into a store's rows; what is known already and newer stays. One rule for a record made here and for one that
 * is merged: the first is always the newest. Returns whether anything changed.
 */
export function applyFact(rows: FactRows, fact: BlobFact, options: ApplyOptions): boolean {
  switch (fact.fact) {
    case "pair":
      return applyPair(rows, fact, options.warn);
    case "transformer":
      return applyTransformer(rows, fact, options.warn);
    default:
      return applyLocation(rows, fact, options.oldestNegativeMs);
  }
}

/** Removes a fact, unless it has been renewed since it was read. Returns whether it was there. */
export function removeFact(rows: FactRows, fact: BlobFact): boolean {
  const kind = fact.fact;
  let isThere = false;
  if (kind === "location" || kind === "absence") {
    rows.updateLocationRecord(fact, fact.location, (locationRecord) => {
      isThere = locationRecord?.sequence === fact.sequence;
      return isThere ? undefined : locationRecord;
    });
    return isThere;
  }
  rows.updateDigestRow(fact.digest, (row) => {
    isThere = row[kind]?.sequence === fact.sequence;
    if (!isThere) return row;
    const { [kind]: _, ...rest } = row;
    return rest;
  });
  if (isThere && fact.fact === "pair") rows.removeForm(fact.untransformed, fact.digest);
  return isThere;
}

function applyPair(rows: FactRows, fact: PairFact, warn: Logger["warn"]): boolean {
  const { digest, untransformed, implied } = fact;
  let before: DigestRow["pair"];
  let changed = false;
  rows.updateDigestRow(digest, (row) => {
    before = row.pair;
    changed = before === undefined || pairWins(fact, before);
    return changed ? { ...row, pair: { untransformed, ...timeOf(fact), ...(implied && { implied }) } } : row;
  });
  if (!changed) return false;
  if (before !== undefined && before.untransformed !== untransformed) {
    warn("the untransformed digest of a blob was recorded differently before; the later record stays", {
      digest,
      before: before.untransformed,
      now: untransformed,
    });
    rows.removeForm(before.untransformed, digest);
  }
  if (digest === untransformed) return true;
  rows.addForm(untransformed, digest);
  applyPair(rows, { ...fact, digest: untransformed, implied: true }, warn);
  return true;
}

function pairWins(fact: PairFact, known: NonNullable<DigestRow["pair"]>): boolean {
  if (fact.implied !== known.implied) return known.implied === true;
  return wins(fact, known, fact.untransformed > known.untransformed);
}

function applyTransformer(rows: FactRows, fact: TransformerFact, warn: Logger["warn"]): boolean {
  const { digest, name } = fact;
  let before: DigestRow["transformer"];
  let after: DigestRow["transformer"];
  rows.updateDigestRow(digest, (row) => {
    const { transformer, ...rest } = row;
    before = transformer;
    after = settleTransformer(transformer, fact);
    if (after === before) return row;
    return after === undefined ? rest : { ...rest, transformer: after };
  });
  if (before !== undefined && after?.name === name && !transformerSatisfies(name, before.name)) {
    warn("the transformer of a blob was recorded differently before; the later record stays", {
      digest,
      before: before.name,
      now: name,
    });
  }
  return after !== before;
}

/** What is known of a transformer once `fact` was heard too. */
function settleTransformer(known: DigestRow["transformer"], fact: TransformerFact): DigestRow["transformer"] {
  const isLater = known === undefined || wins(fact, known, fact.name > known.name);
  if (fact.name === UNKNOWN_TRANSFORMER) return isLater ? undefined : known;
  if (known === undefined) return { name: fact.name, ...timeOf(fact) };
  if (isLater) return { name: mergeTransformerNames(known.name, fact.name), ...timeOf(fact) };
  const name = mergeTransformerNames(fact.name, known.name);
  return name === known.name ? known : { ...known, name };
}

function applyLocation(rows: FactRows, fact: LocationFact, oldestAbsenceMs: number): boolean {
  const { location, sequence, lastSeenMs } = fact;
  const gone = fact.fact === "absence";
  let changed = false;
  rows.updateLocationRecord(fact, location, (known) => {
    const counts = known !== undefined && !(known.gone && known.lastSeenMs < oldestAbsenceMs);
    changed = !counts || wins(fact, known, gone && !known.gone);
    return changed ? { sequence, lastSeenMs, gone, location } : known;
  });
  return changed;
}

/** Equal sequences come from two machines; then the same one must win on both. */
function wins(fact: FactTime, known: FactTime, winsTie: boolean): boolean {
  return fact.sequence === known.sequence ? winsTie : fact.sequence > known.sequence;
}

function timeOf({ sequence, lastSeenMs }: FactTime): FactTime {
  return { sequence, lastSeenMs };
}
