import {
  type DigestRow,
  type FactRows,
  type LocationChange,
  type LocationRecord,
  nextSequence,
  type ScopedDigest,
  type SequenceClock,
} from "@mote/bic";
import { type Digest, isDigest } from "@mote/core";
import {
  digestRowName,
  formatLocation,
  formatPair,
  formatTransformer,
  formsName,
  type IndexName,
  locationRowName,
  parseLocation,
  parsePair,
  parseTransformer,
} from "./row-text.js";

/** Something to fetch: a field of a row, all of its fields (`*`), or the members of a set (`members`). */
export interface RowRead {
  readonly row: string;
  readonly field: string;
}

/** What Redis returned for a `RowRead`: a text or null for a field, a flat list otherwise. */
export type FetchedValue = string | null | readonly string[];

interface FieldChange {
  readonly row: string;
  readonly field: string;
  readonly expected: string;
  value: string;
  readonly indexBefore: IndexName | "";
  index: IndexName | "";
  sequence: number;
}

/**
 * The rows that were fetched for a query or a transaction, and the transaction's changes. A transaction assumes that the locations that it
 * records are new and that the sequences that it chooses are unused; Redis reports where that is wrong.
 */
export class FetchedRows implements FactRows {
  /** Rows that the last call needed and that had not been fetched. */
  missing: RowRead[] = [];
  readonly #fetched = new Map<string, FetchedValue>();
  readonly #usedBefore: number;
  #firstReserved: number | undefined;
  #first = 0;
  #count = 0;
  #used = 0;
  #changes = new Map<string, FieldChange>();
  #setChanges: string[] = [];

  /** `usedBefore`: the highest sequence that is known to be used. */
  constructor(usedBefore = 0) {
    this.#usedBefore = usedBefore;
  }

  /** Discards the changes of the last call of the transaction. */
  begin(): void {
    this.missing = [];
    this.#changes = new Map();
    this.#setChanges = [];
    this.#first = 0;
    this.#count = 0;
    this.#used = this.#usedBefore;
  }

  add({ row, field }: RowRead, value: FetchedValue): void {
    this.#fetched.set(keyOf(row, field), value);
    if (field !== "*" || !row.startsWith("digest:") || !Array.isArray(value)) return;
    for (let at = 0; at + 1 < value.length; at += 2) this.#fetched.set(keyOf(row, value[at]), value[at + 1]);
  }

  /** Uses the reserved sequences from `first` on instead of chosen ones. */
  reserve(first: number): void {
    this.#firstReserved = first;
  }

  /** The sequences that the last call took: the first, how many, and the highest one that is used after it. */
  get sequences(): {
    readonly first: number;
    readonly count: number;
    readonly last: number;
    readonly areReserved: boolean;
  } {
    const areReserved = this.#firstReserved !== undefined;
    return { first: this.#first, count: this.#count, last: this.#used, areReserved };
  }

  /** The number of changed fields. */
  get changeCount(): number {
    return this.#changes.size;
  }

  get hasChanges(): boolean {
    return this.#changes.size > 0 || this.#setChanges.length > 0 || this.#used > this.#usedBefore;
  }

  /** Returns the changes as arguments of the script. */
  changeArguments(): string[] {
    const all: string[] = [];
    for (const { row, field, expected, value, indexBefore, index, sequence } of this.#changes.values()) {
      all.push(row, field, expected, value, indexBefore, index, String(sequence));
    }
    all.push(...this.#setChanges);
    return all;
  }

  /** Adds what Redis has for some of the changed fields: the position of each, and its value. */
  addConflicts(conflicts: readonly unknown[]): void {
    const changes = [...this.#changes.values()];
    for (let at = 0; at < conflicts.length; at += 2) {
      const change = changes[Number(conflicts[at])];
      if (change !== undefined) this.add(change, String(conflicts[at + 1]));
    }
  }

  readonly clock: SequenceClock = {
    next: (nowMs) => {
      if (this.#count === 0) this.#first = this.#firstReserved ?? nextSequence(this.#usedBefore, nowMs);
      const sequence = this.#first + this.#count++;
      this.#used = Math.max(this.#used, sequence);
      return sequence;
    },
    reserve: (sequence) => {
      this.#used = Math.max(this.#used, sequence);
    },
  };

  digestRow(digest: Digest): DigestRow | undefined {
    const row = digestRowName(digest);
    if (!this.#fetched.has(keyOf(row, "*"))) this.missing.push({ row, field: "*" });
    const pair = this.#known(row, "pair");
    const transformer = this.#known(row, "transformer");
    if (!pair && !transformer) return undefined;
    return {
      ...(pair ? { pair: parsePair(pair) } : {}),
      ...(transformer ? { transformer: parseTransformer(transformer) } : {}),
    };
  }

  forms(untransformed: Digest): Iterable<Digest> {
    return this.#list(formsName(untransformed), "members").filter(isDigest);
  }

  locationRecords(key: ScopedDigest): Iterable<LocationRecord> {
    const fields = this.#list(locationRowName(key), "*");
    const records: LocationRecord[] = [];
    for (let at = 0; at + 1 < fields.length; at += 2) {
      records.push(parseLocation(fields[at] ?? "", fields[at + 1] ?? ""));
    }
    return records;
  }

  updateDigestRow(digest: Digest, change: (row: DigestRow) => DigestRow): void {
    const before = this.digestRow(digest) ?? {};
    const after = change(before);
    if (after === before) return;
    const row = digestRowName(digest);
    if (after.pair !== before.pair) {
      this.#set(row, "pair", {
        value: after.pair === undefined ? "" : formatPair(after.pair),
        indexBefore: before.pair && "pairs",
        index: after.pair && "pairs",
        sequence: after.pair?.sequence,
      });
    }
    if (after.transformer !== before.transformer) {
      this.#set(row, "transformer", {
        value: after.transformer === undefined ? "" : formatTransformer(after.transformer),
        indexBefore: before.transformer && "transformers",
        index: after.transformer && "transformers",
        sequence: after.transformer?.sequence,
      });
    }
  }

  addForm(untransformed: Digest, form: Digest): void {
    this.#setChanges.push("SADD", formsName(untransformed), form);
  }

  removeForm(untransformed: Digest, form: Digest): void {
    this.#setChanges.push("SREM", formsName(untransformed), form);
  }

  updateLocationRecord(key: ScopedDigest, location: string, change: LocationChange): void {
    const row = locationRowName(key);
    const field = JSON.stringify(location);
    const stored = this.#known(row, field);
    const before = stored ? parseLocation(field, stored) : undefined;
    const after = change(before);
    if (after === before) {
      if (stored === undefined) this.missing.push({ row, field });
      return;
    }
    this.#set(row, field, {
      value: after === undefined ? "" : formatLocation(after),
      indexBefore: before && indexOf(before),
      index: after && indexOf(after),
      sequence: after?.sequence,
    });
  }

  #set(
    row: string,
    field: string,
    to: {
      readonly value: string;
      readonly indexBefore: IndexName | undefined;
      readonly index: IndexName | undefined;
      readonly sequence: number | undefined;
    },
  ): void {
    const key = keyOf(row, field);
    const { value, index = "", sequence = 0 } = to;
    const earlier = this.#changes.get(key);
    if (earlier !== undefined) {
      Object.assign(earlier, { value, index, sequence });
      return;
    }
    const fetched = this.#fetched.get(key);
    const expected = typeof fetched === "string" ? fetched : "";
    this.#changes.set(key, { row, field, expected, value, indexBefore: to.indexBefore ?? "", index, sequence });
  }

  /** Returns an empty text if the field is absent, and undefined if it has not been fetched. */
  #known(row: string, field: string): string | undefined {
    const key = keyOf(row, field);
    const changed = this.#changes.get(key);
    if (changed !== undefined) return changed.value;
    const fetched = this.#fetched.get(key);
    if (fetched === undefined) return undefined;
    return typeof fetched === "string" ? fetched : "";
  }

  #list(row: string, field: "*" | "members"): readonly string[] {
    const fetched = this.#fetched.get(keyOf(row, field));
    if (fetched === undefined) this.missing.push({ row, field });
    return Array.isArray(fetched) ? fetched : [];
  }
}

function indexOf({ gone }: LocationRecord): IndexName {
  return gone ? "gone" : "seen";
}

function keyOf(row: string, field: string): string {
  return `${row}\n${field}`;
}
