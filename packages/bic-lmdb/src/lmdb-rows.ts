import { createHash } from "node:crypto";
import type {
  BlobFact,
  DigestRow,
  FactCounts,
  FactRows,
  LocationChange,
  LocationRecord,
  ScopedDigest,
} from "@mote/bic";
import type { Digest } from "@mote/core";
import type { Database } from "lmdb";
import {
  type NewestRow,
  readDigestRow,
  readLocationRecord,
  readNewest,
  writeDigestRow,
  writeLocationRecord,
  writeNewest,
} from "./fact-bytes.js";
import { RowReader, RowWriter } from "./row-bytes.js";

// The first byte of a key is the kind of the row.
const rowKind = { scope: 2, digest: 3, form: 4, newest: 5, older: 6 } as const;

/**
 * The newest locations of a blob share one row, so that one get reads them. Older ones have a row each, so that recording a
 * location of a blob with very many rewrites little.
 */
const newestCount = 16;

const nothing = Buffer.from([0]);

/** A transport and a scope, with their hash in keys. */
interface Scope {
  readonly transport: string;
  readonly scope: string;
  readonly hash: Buffer;
  isWritten: boolean;
}

export type Counts = { -readonly [Kind in keyof FactCounts]: number };

/** Stores facts as rows of LMDB, in the current transaction. */
export class LmdbRows implements FactRows {
  /** The counts in the current transaction. */
  counts: Counts = { locations: 0, negativeRecords: 0, pairs: 0, transformers: 0 };
  readonly #db: Database<Buffer, Buffer>;
  readonly #key = new RowWriter();
  readonly #row = new RowWriter();
  readonly #scopes = new Map<string, Scope>();
  #lastScope: Scope | undefined;

  constructor(db: Database<Buffer, Buffer>) {
    this.#db = db;
  }

  digestRow(digest: Digest): DigestRow | undefined {
    const bytes = this.#db.getBinaryFast(this.#digestKey(digest));
    return bytes === undefined ? undefined : readDigestRow(new RowReader(bytes));
  }

  updateDigestRow(digest: Digest, change: (row: DigestRow) => DigestRow): void {
    const before = this.digestRow(digest) ?? {};
    const after = change(before);
    if (after === before) return;
    this.#countDigest(before, -1);
    this.#countDigest(after, 1);
    const { pair, transformer } = after;
    const key = this.#digestKey(digest);
    if (pair === undefined && transformer === undefined) {
      this.#db.removeSync(key);
      return;
    }
    const bytes = writeDigestRow(this.#row.clear(), after);
    this.#db.putSync(key, bytes.bytes);
  }

  *forms(untransformed: Digest): Generator<Digest> {
    const start = Buffer.from(this.#key.clear().byte(rowKind.form).digest(untransformed).bytes);
    for (const key of this.#db.getKeys({ start, end: keyAfter(start) })) {
      yield new RowReader(key, start.length).digest();
    }
  }

  addForm(untransformed: Digest, form: Digest): void {
    this.#db.putSync(this.#formKey(untransformed, form), nothing);
  }

  removeForm(untransformed: Digest, form: Digest): void {
    this.#db.removeSync(this.#formKey(untransformed, form));
  }

  locationRecords(scoped: ScopedDigest): LocationRecord[] {
    const newest = this.#newest(scoped);
    if (newest === undefined) return [];
    return newest.more ? [...newest.locationRecords, ...this.#older(scoped)] : newest.locationRecords;
  }

  updateLocationRecord(scoped: ScopedDigest, location: string, change: LocationChange): void {
    const row = this.#newest(scoped) ?? { more: false, locationRecords: [] };
    const at = row.locationRecords.findIndex((locationRecord) => locationRecord.location === location);
    const before =
      at >= 0 ? row.locationRecords[at] : row.more ? this.#olderLocationRecord(scoped, location) : undefined;
    const after = change(before);
    if (after === before) return;
    this.#count(before, -1);
    this.#count(after, 1);
    if (at >= 0) row.locationRecords.splice(at, 1);
    else if (before !== undefined) this.#db.removeSync(this.#olderKey(scoped, location));
    if (after !== undefined) this.#insert(scoped, row, after);
    else if (row.locationRecords.length === 0) row.more = row.more && this.#hasOlder(scoped);
    this.#putNewest(scoped, row);
  }

  #insert(scoped: ScopedDigest, row: NewestRow, locationRecord: LocationRecord): void {
    this.#writeScope(scoped);
    const { locationRecords } = row;
    const older = locationRecords.findIndex(({ sequence }) => sequence < locationRecord.sequence);
    locationRecords.splice(older < 0 ? locationRecords.length : older, 0, locationRecord);
    const oldest = locationRecords.length > newestCount ? locationRecords.pop() : undefined;
    if (oldest === undefined) return;
    this.#putOlder(scoped, oldest);
    row.more = true;
  }

  /** Yields all facts, about `size` at a time. */
  *chunks(size: number): Generator<BlobFact[]> {
    const scopes = new Map<string, [transport: string, scope: string]>();
    let start = Buffer.from([rowKind.digest]);
    for (;;) {
      this.#db.resetReadTxn();
      const facts: BlobFact[] = [];
      let last: Buffer | undefined;
      for (const { key, value } of this.#db.getRange({ start, exclusiveStart: start.length > 1, limit: size })) {
        last = key;
        this.#readFacts(key, value, scopes, facts);
      }
      if (last === undefined) return;
      yield facts;
      start = Buffer.from(last);
    }
  }

  #readFacts(key: Buffer, value: Buffer, scopes: Map<string, [string, string]>, facts: BlobFact[]): void {
    const reader = new RowReader(key);
    const kind = reader.byte();
    if (kind === rowKind.digest) {
      const digest = reader.digest();
      const { pair, transformer } = readDigestRow(new RowReader(value));
      if (pair !== undefined) facts.push({ fact: "pair", digest, ...pair });
      if (transformer !== undefined) facts.push({ fact: "transformer", digest, ...transformer });
    } else if (kind === rowKind.newest || kind === rowKind.older) {
      const [transport, scope] = this.#readScope(reader.raw(scopeHashLength), scopes);
      const digest = reader.digest();
      const locationRecords =
        kind === rowKind.newest ? readNewest(value).locationRecords : [readLocationRecord(new RowReader(value))];
      for (const { gone, ...seen } of locationRecords) {
        facts.push({ fact: gone ? "absence" : "location", transport, scope, digest, ...seen });
      }
    }
  }

  #newest(scoped: ScopedDigest): NewestRow | undefined {
    const bytes = this.#db.getBinaryFast(this.#scopedKey(rowKind.newest, scoped));
    return bytes === undefined ? undefined : readNewest(bytes);
  }

  #putNewest(scoped: ScopedDigest, { more, locationRecords }: NewestRow): void {
    const key = this.#scopedKey(rowKind.newest, scoped);
    if (locationRecords.length === 0 && !more) {
      this.#db.removeSync(key);
      return;
    }
    const bytes = writeNewest(this.#row.clear(), { more, locationRecords });
    this.#db.putSync(key, bytes.bytes);
  }

  *#older(scoped: ScopedDigest): Generator<LocationRecord> {
    const start = Buffer.from(this.#scopedKey(rowKind.older, scoped));
    for (const { value } of this.#db.getRange({ start, end: keyAfter(start) }))
      yield readLocationRecord(new RowReader(value));
  }

  #hasOlder(scoped: ScopedDigest): boolean {
    const start = Buffer.from(this.#scopedKey(rowKind.older, scoped));
    for (const _ of this.#db.getKeys({ start, end: keyAfter(start), limit: 1 })) return true;
    return false;
  }

  #olderLocationRecord(scoped: ScopedDigest, location: string): LocationRecord | undefined {
    const bytes = this.#db.getBinaryFast(this.#olderKey(scoped, location));
    return bytes === undefined ? undefined : readLocationRecord(new RowReader(bytes));
  }

  #putOlder(scoped: ScopedDigest, locationRecord: LocationRecord): void {
    const bytes = writeLocationRecord(this.#row.clear(), locationRecord);
    this.#db.putSync(this.#olderKey(scoped, locationRecord.location), bytes.bytes);
  }

  #countDigest(row: DigestRow, by: number): void {
    if (row.pair !== undefined) this.counts.pairs += by;
    if (row.transformer !== undefined) this.counts.transformers += by;
  }

  #count(locationRecord: LocationRecord | undefined, by: number): void {
    if (locationRecord !== undefined) this.counts[locationRecord.gone ? "negativeRecords" : "locations"] += by;
  }

  #digestKey(digest: Digest): Buffer {
    return this.#key.clear().byte(rowKind.digest).digest(digest).bytes;
  }

  #formKey(untransformed: Digest, form: Digest): Buffer {
    return this.#key.clear().byte(rowKind.form).digest(untransformed).digest(form).bytes;
  }

  #scopedKey(kind: number, scoped: ScopedDigest): Buffer {
    return this.#key.clear().byte(kind).raw(this.#scope(scoped).hash).digest(scoped.digest).bytes;
  }

  // A location is hashed, because it may be longer than a key can be.
  #olderKey(scoped: ScopedDigest, location: string): Buffer {
    this.#scopedKey(rowKind.older, scoped);
    return this.#key.raw(createHash("sha256").update(location, "utf16le").digest()).bytes;
  }

  #scope(scoped: ScopedDigest): Scope {
    const { transport, scope } = scoped;
    if (this.#lastScope?.transport === transport && this.#lastScope.scope === scope) return this.#lastScope;
    const text = scopeText(scoped);
    const hash = createHash("sha256").update(text).digest().subarray(0, scopeHashLength);
    const known = this.#scopes.get(text) ?? { transport, scope, hash, isWritten: false };
    if (this.#scopes.size >= maxCachedScopes) this.#scopes.clear();
    this.#scopes.set(text, known);
    this.#lastScope = known;
    return known;
  }

  #writeScope(scoped: ScopedDigest): void {
    const scope = this.#scope(scoped);
    if (scope.isWritten) return;
    const key = this.#key.clear().byte(rowKind.scope).raw(scope.hash).bytes;
    this.#db.putSync(key, this.#row.clear().text(scopeText(scoped)).bytes);
    scope.isWritten = true;
  }

  /** Forgets which scopes are stored, after a failed transaction. */
  clearScopes(): void {
    this.#scopes.clear();
    this.#lastScope = undefined;
  }

  #readScope(hash: Buffer, scopes: Map<string, [string, string]>): [transport: string, scope: string] {
    const name = hash.toString("latin1");
    const known = scopes.get(name);
    if (known !== undefined) return known;
    const bytes = this.#db.getBinary(this.#key.clear().byte(rowKind.scope).raw(hash).bytes);
    const [transport = "", scope = ""] = bytes === undefined ? [] : JSON.parse(new RowReader(bytes).text());
    const pair: [string, string] = [transport, scope];
    scopes.set(name, pair);
    return pair;
  }
}

const scopeHashLength = 16;
const maxCachedScopes = 1000;

// JSON escapes lone surrogates, and separates the two strings.
function scopeText({ transport, scope }: ScopedDigest): string {
  return JSON.stringify([transport, scope]);
}

/** Returns the end of the range of keys with a prefix. No prefix has 0xff in every byte. */
function keyAfter(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    const byte = end[at] ?? 0;
    end[at] = (byte + 1) & 0xff;
    if (byte !== 0xff) break;
  }
  return end;
}
