import { type Logger, UNKNOWN_TRANSFORMER } from "@mote/core";
import type { BlobFact, FactTime, LocationFact, PairFact, TransformerFact } from "./blob-fact.js";
import type { DigestRow, FactRows } from "./fact-rows.js";
import { mergeTransformerNames, transformerSatisfies } from "./transformer-name.js";

export interface ApplyOptions {
  /** Called for each fact that contradicts an earlier one. */
  readonly warn: Logger["warn"];
  /** Negative records from before this time are ignored, in Unix milliseconds. */
  readonly oldestNegativeMs: number;
}

/**
 * Writes a fact into the rows of a storage, unless a newer one is there.
 * @returns whether anything changed
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

/**
 * Removes a fact, unless it has been renewed since it was read.
 * @returns whether it was removed
 */
export function removeFact(rows: FactRows, fact: BlobFact): boolean {
  const kind = fact.fact;
  let isUnchanged = false;
  if (kind === "location" || kind === "absence") {
    rows.updateLocationRecord(fact, fact.location, (locationRecord) => {
      isUnchanged = locationRecord?.sequence === fact.sequence;
      return isUnchanged ? undefined : locationRecord;
    });
    return isUnchanged;
  }
  rows.updateDigestRow(fact.digest, (row) => {
    isUnchanged = row[kind]?.sequence === fact.sequence;
    if (!isUnchanged) return row;
    const { [kind]: _, ...rest } = row;
    return rest;
  });
  if (isUnchanged && fact.fact === "pair") rows.removeForm(fact.untransformed, fact.digest);
  return isUnchanged;
}

function applyPair(rows: FactRows, fact: PairFact, warn: Logger["warn"]): boolean {
  const { digest, untransformed, implied } = fact;
  let before: DigestRow["pair"];
  let changed = false;
  rows.updateDigestRow(digest, (row) => {
    before = row.pair;
    changed = before === undefined || pairSupersedes(fact, before);
    return changed ? { ...row, pair: { untransformed, ...timeOf(fact), ...(implied && { implied }) } } : row;
  });
  if (!changed) return false;
  if (before !== undefined && before.untransformed !== untransformed) {
    warn("conflicting untransformed digests were recorded for a blob; the later one is used", {
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

function pairSupersedes(fact: PairFact, known: NonNullable<DigestRow["pair"]>): boolean {
  if (fact.implied !== known.implied) return known.implied === true;
  return supersedes(fact, known, fact.untransformed > known.untransformed);
}

function applyTransformer(rows: FactRows, fact: TransformerFact, warn: Logger["warn"]): boolean {
  const { digest, name } = fact;
  let before: DigestRow["transformer"];
  let after: DigestRow["transformer"];
  rows.updateDigestRow(digest, (row) => {
    const { transformer, ...rest } = row;
    before = transformer;
    after = mergeTransformer(transformer, fact);
    if (after === before) return row;
    return after === undefined ? rest : { ...rest, transformer: after };
  });
  if (before !== undefined && after?.name === name && !transformerSatisfies(name, before.name)) {
    warn("conflicting transformers were recorded for a blob; the later one is used", {
      digest,
      before: before.name,
      now: name,
    });
  }
  return after !== before;
}

/** Returns the transformer of a blob after `fact` was recorded too. */
function mergeTransformer(known: DigestRow["transformer"], fact: TransformerFact): DigestRow["transformer"] {
  const isLater = known === undefined || supersedes(fact, known, fact.name > known.name);
  if (fact.name === UNKNOWN_TRANSFORMER) return isLater ? undefined : known;
  if (known === undefined) return { name: fact.name, ...timeOf(fact) };
  if (isLater) return { name: mergeTransformerNames(known.name, fact.name), ...timeOf(fact) };
  const name = mergeTransformerNames(fact.name, known.name);
  return name === known.name ? known : { ...known, name };
}

function applyLocation(rows: FactRows, fact: LocationFact, oldestNegativeMs: number): boolean {
  const { location, sequence, lastSeenMs } = fact;
  const gone = fact.fact === "absence";
  let changed = false;
  rows.updateLocationRecord(fact, location, (known) => {
    const isValid = known !== undefined && !(known.gone && known.lastSeenMs < oldestNegativeMs);
    changed = !isValid || supersedes(fact, known, gone && !known.gone);
    return changed ? { sequence, lastSeenMs, gone, location } : known;
  });
  return changed;
}

// Equal sequences come from two machines, which must both choose the same fact.
function supersedes(fact: FactTime, known: FactTime, ifEqual: boolean): boolean {
  return fact.sequence === known.sequence ? ifEqual : fact.sequence > known.sequence;
}

function timeOf({ sequence, lastSeenMs }: FactTime): FactTime {
  return { sequence, lastSeenMs };
}
