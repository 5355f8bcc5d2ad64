import { removeFact } from "./apply-fact.js";
import type { BlobFact } from "./blob-fact.js";
import type { FactRows } from "./fact-rows.js";
import type { FactCounts, FactStorage } from "./fact-storage.js";

const chunkSize = 250;
/** Facts whose ages are looked at to find the oldest; with fewer than this many, the cut is exact. */
const sampleSize = 65_536;

/** Facts that may expire, of a cache that is still in use. */
export interface ExpiringFacts {
  open(): Promise<FactStorage>;
  /** Runs `change` as one transaction. */
  write<Result>(change: (rows: FactRows) => Result): Promise<Result>;
  /** Yields to the event loop; throws if the work must end. */
  checkpoint(): Promise<void>;
}

export function totalFacts({ locations, absences, pairs, transformers }: FactCounts): number {
  return locations + absences + pairs + transformers;
}

/** Removes locations last seen before one time, and negative records from before another, in Unix milliseconds. Returns how many. */
export function removeAged(
  facts: ExpiringFacts,
  { seenMs, negativeMs }: { readonly seenMs: number; readonly negativeMs: number },
): Promise<number> {
  return removeWhere(facts, (fact) => {
    if (fact.fact === "location") return fact.lastSeenMs < seenMs;
    return fact.fact === "absence" && fact.lastSeenMs < negativeMs;
  });
}

/** Removes the oldest until `maxFacts` are left, or about that many if there are very many. Returns how many. */
export async function removeOldest(facts: ExpiringFacts, maxFacts: number): Promise<number> {
  const total = totalFacts(await (await facts.open()).counts());
  if (total <= maxFacts) return 0;
  const cut = await sequenceAt(facts, (total - maxFacts) / total);
  return removeWhere(facts, (fact) => fact.sequence <= cut);
}

/** The sequence up to which the given share of all facts lies. */
async function sequenceAt(facts: ExpiringFacts, share: number): Promise<number> {
  const storage = await facts.open();
  const sample = new Float64Array(sampleSize);
  let seen = 0;
  for await (const chunk of storage.chunks(chunkSize)) {
    for (const { sequence } of chunk) {
      // So each fact is as likely to be in the sample as any other, however many there are.
      const place = seen < sampleSize ? seen : Math.floor(Math.random() * (seen + 1));
      if (place < sampleSize) sample[place] = sequence;
      seen++;
    }
    await facts.checkpoint();
  }
  const sorted = sample.subarray(0, Math.min(seen, sampleSize)).sort();
  return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
}

async function removeWhere(facts: ExpiringFacts, goes: (fact: BlobFact) => boolean): Promise<number> {
  const storage = await facts.open();
  let going: BlobFact[] = [];
  let removed = 0;
  const remove = async () => {
    const chosen = going;
    going = [];
    removed += await facts.write((rows) => chosen.filter((fact) => removeFact(rows, fact)).length);
  };
  for await (const chunk of storage.chunks(chunkSize)) {
    going.push(...chunk.filter(goes));
    if (going.length >= chunkSize) await remove();
    await facts.checkpoint();
  }
  if (going.length > 0) await remove();
  return removed;
}
