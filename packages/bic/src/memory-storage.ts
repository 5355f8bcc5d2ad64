import type { Digest } from "@mote/core";
import type { BlobFact } from "./blob-fact.js";
import type { DigestRow, FactReader, FactRows, LocationChange, LocationRecord, ScopedDigest } from "./fact-rows.js";
import { type FactCounts, type FactStorage, type SequenceClock, SequenceCounter } from "./fact-storage.js";

/** Stores facts in memory. */
export class MemoryStorage implements FactStorage {
  readonly mode = "memory";
  readonly #rows = new MemoryRows();
  readonly #clock = new SequenceCounter();

  read<Result>(query: (rows: FactReader) => Result): Result {
    return query(this.#rows);
  }

  write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Result {
    return change(this.#rows, this.#clock);
  }

  *chunks(size: number): Generator<readonly BlobFact[]> {
    let chunk: BlobFact[] = [];
    for (const fact of this.#rows.facts()) {
      chunk.push(fact);
      if (chunk.length < size) continue;
      yield chunk;
      chunk = [];
    }
    if (chunk.length > 0) yield chunk;
  }

  counts(): FactCounts {
    return this.#rows.counts;
  }

  sizeBytes(): number {
    return 0;
  }

  async close(): Promise<void> {}
}

class MemoryRows implements FactRows {
  readonly counts = { locations: 0, negativeRecords: 0, pairs: 0, transformers: 0 };
  readonly #digests = new Map<Digest, DigestRow>();
  readonly #forms = new Map<Digest, Set<Digest>>();
  /** By transport and scope, then by digest, then by location. */
  readonly #locationRecords = new Map<string, Map<Digest, Map<string, LocationRecord>>>();

  digestRow(digest: Digest): DigestRow | undefined {
    return this.#digests.get(digest);
  }

  updateDigestRow(digest: Digest, change: (row: DigestRow) => DigestRow): void {
    const before = this.#digests.get(digest) ?? {};
    const after = change(before);
    if (after === before) return;
    this.#count(before, -1);
    this.#count(after, 1);
    if (after.pair === undefined && after.transformer === undefined) this.#digests.delete(digest);
    else this.#digests.set(digest, after);
  }

  #count(row: DigestRow, by: number): void {
    if (row.pair !== undefined) this.counts.pairs += by;
    if (row.transformer !== undefined) this.counts.transformers += by;
  }

  forms(untransformed: Digest): Iterable<Digest> {
    return this.#forms.get(untransformed) ?? [];
  }

  addForm(untransformed: Digest, form: Digest): void {
    const forms = this.#forms.get(untransformed);
    if (forms === undefined) this.#forms.set(untransformed, new Set([form]));
    else forms.add(form);
  }

  removeForm(untransformed: Digest, form: Digest): void {
    const forms = this.#forms.get(untransformed);
    forms?.delete(form);
    if (forms?.size === 0) this.#forms.delete(untransformed);
  }

  locationRecords(key: ScopedDigest): Iterable<LocationRecord> {
    return this.#locationRecords.get(scopeKey(key))?.get(key.digest)?.values() ?? [];
  }

  updateLocationRecord(key: ScopedDigest, location: string, change: LocationChange): void {
    const scope = scopeKey(key);
    const digests = this.#locationRecords.get(scope) ?? new Map<Digest, Map<string, LocationRecord>>();
    const locations = digests.get(key.digest) ?? new Map<string, LocationRecord>();
    const before = locations.get(location);
    const after = change(before);
    if (after === before) return;
    this.#countLocationRecord(before, -1);
    this.#countLocationRecord(after, 1);
    if (after !== undefined) {
      this.#locationRecords.set(scope, digests.set(key.digest, locations.set(location, after)));
      return;
    }
    locations.delete(location);
    if (locations.size === 0) digests.delete(key.digest);
    if (digests.size === 0) this.#locationRecords.delete(scope);
  }

  #countLocationRecord(locationRecord: LocationRecord | undefined, by: number): void {
    if (locationRecord !== undefined) this.counts[locationRecord.gone ? "negativeRecords" : "locations"] += by;
  }

  *facts(): Generator<BlobFact> {
    for (const [digest, { pair, transformer }] of this.#digests) {
      if (pair !== undefined) yield { fact: "pair", digest, ...pair };
      if (transformer !== undefined) yield { fact: "transformer", digest, ...transformer };
    }
    for (const [key, digests] of this.#locationRecords) {
      const [transport, scope] = splitScopeKey(key);
      for (const [digest, locations] of digests) {
        for (const { gone, ...seen } of locations.values()) {
          yield { fact: gone ? "absence" : "location", transport, scope, digest, ...seen };
        }
      }
    }
  }
}

// The length of the transport comes first, so that different pairs have different keys.
function scopeKey({ transport, scope }: ScopedDigest): string {
  return `${transport.length}:${transport}${scope}`;
}

function splitScopeKey(key: string): [transport: string, scope: string] {
  const start = key.indexOf(":") + 1;
  const middle = start + Number(key.slice(0, start - 1));
  return [key.slice(start, middle), key.slice(middle)];
}
