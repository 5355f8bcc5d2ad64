import { removeFact } from "./apply-fact.js";
import type { BlobFact } from "./blob-fact.js";
import type { FactRows } from "./fact-rows.js";
import type { FactCounts, FactStorage } from "./fact-storage.js";

const chunkSize = 250;
/** Facts that are sampled to find the oldest ones. With fewer facts than this, the result is exact. */
const sampleSize = 65_536;

/** The facts of a cache that is in use. */
export interface ExpiringFacts {
  open(): Promise<FactStorage>;
  /** Runs `change` as one transaction. */
  write<Result>(change: (rows: FactRows) => Result): Promise<Result>;
  /** Yields to the event loop, and throws if the work is aborted or the cache is closed. */
  checkpoint(): Promise<void>;
}

/** Returns the number of facts of all kinds. */
export function totalFacts({ locations, negativeRecords, pairs, transformers }: FactCounts): number {
  return locations + negativeRecords + pairs + transformers;
}

/**
 * Removes locations last seen before `seenMs` and negative records from before `negativeMs`, both in Unix milliseconds.
 * @returns how many
 */
export function removeAged(
  facts: ExpiringFacts,
  { seenMs, negativeMs }: { readonly seenMs: number; readonly negativeMs: number },
): Promise<number> {
  return removeWhere(facts, (fact) => {
    if (fact.fact === "location") return fact.lastSeenMs < seenMs;
    return fact.fact === "absence" && fact.lastSeenMs < negativeMs;
  });
}

/**
 * Removes the oldest facts until `maxFacts` are left; if there are very many, until about that many are left.
 * @returns how many were removed
 */
export async function removeOldest(facts: ExpiringFacts, maxFacts: number): Promise<number> {
  const total = totalFacts(await (await facts.open()).counts());
  if (total <= maxFacts) return 0;
  const cut = await sequenceAt(facts, (total - maxFacts) / total);
  return removeWhere(facts, (fact) => fact.sequence <= cut);
}

/** Returns the sequence at a quantile (0 to 1) of all facts. */
async function sequenceAt(facts: ExpiringFacts, quantile: number): Promise<number> {
  const storage = await facts.open();
  const sample = new Float64Array(sampleSize);
  let seen = 0;
  for await (const chunk of storage.chunks(chunkSize)) {
    for (const { sequence } of chunk) {
      // Reservoir sampling: each fact is equally likely to be in the sample.
      const index = seen < sampleSize ? seen : Math.floor(Math.random() * (seen + 1));
      if (index < sampleSize) sample[index] = sequence;
      seen++;
    }
    await facts.checkpoint();
  }
  const sorted = sample.subarray(0, Math.min(seen, sampleSize)).sort();
  return sorted[Math.ceil(quantile * sorted.length) - 1] ?? 0;
}

async function removeWhere(facts: ExpiringFacts, isExpired: (fact: BlobFact) => boolean): Promise<number> {
  const storage = await facts.open();
  let expired: BlobFact[] = [];
  let removed = 0;
  const remove = async () => {
    const batch = expired;
    expired = [];
    removed += await facts.write((rows) => batch.filter((fact) => removeFact(rows, fact)).length);
  };
  for await (const chunk of storage.chunks(chunkSize)) {
    expired.push(...chunk.filter(isExpired));
    if (expired.length >= chunkSize) await remove();
    await facts.checkpoint();
  }
  if (expired.length > 0) await remove();
  return removed;
}
