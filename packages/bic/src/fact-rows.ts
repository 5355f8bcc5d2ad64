import type { Digest } from "@mote/core";
import type { FactTime, PairFact } from "./blob-fact.js";

/** Facts about the content of one digest. */
export interface DigestRow {
  readonly pair?: FactTime & Pick<PairFact, "untransformed" | "implied">;
  readonly transformer?: FactTime & { readonly name: string };
}

/** The key of a blob's location records. */
export interface ScopedDigest {
  readonly transport: string;
  readonly scope: string;
  readonly digest: Digest;
}

/** A location where the blob was seen or, if `gone`, where it no longer exists. */
export interface LocationRecord extends FactTime {
  readonly location: string;
  readonly gone: boolean;
}

/** Returns the record that replaces the current one; undefined for none. */
export type LocationChange = (current: LocationRecord | undefined) => LocationRecord | undefined;

/** Reads the rows of a storage. */
export interface FactReader {
  digestRow(digest: Digest): DigestRow | undefined;
  /** Returns the digests whose untransformed form is this one, except the digest itself. */
  forms(untransformed: Digest): Iterable<Digest>;
  /** Returns records in any order. */
  locationRecords(key: ScopedDigest): Iterable<LocationRecord>;
}

/** Reads and writes the rows of a storage. A `change` receives the current row and returns the new one; it touches no other row. */
export interface FactRows extends FactReader {
  /** Removes the row if `change` returns an empty one. */
  updateDigestRow(digest: Digest, change: (row: DigestRow) => DigestRow): void;
  addForm(untransformed: Digest, form: Digest): void;
  removeForm(untransformed: Digest, form: Digest): void;
  /** Removes the record if `change` returns undefined. */
  updateLocationRecord(key: ScopedDigest, location: string, change: LocationChange): void;
}
