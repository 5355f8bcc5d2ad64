import type { Digest } from "@mote/core";
import type { FactTime, PairFact } from "./blob-fact.js";

/** What is known of one digest's content. */
export interface DigestRow {
  readonly pair?: FactTime & Pick<PairFact, "untransformed" | "implied">;
  readonly transformer?: FactTime & { readonly name: string };
}

/** What a blob's location records are stored under. */
export interface ScopedDigest {
  readonly transport: string;
  readonly scope: string;
  readonly digest: Digest;
}

/** A location where the blob was seen or, with `gone`, was found missing. */
export interface LocationRecord extends FactTime {
  readonly location: string;
  readonly gone: boolean;
}

/** The reading half of a store of facts: rows, no rules. */
export interface FactReader {
  digestRow(digest: Digest): DigestRow | undefined;
  /** The digests whose untransformed form is this one, itself left out. */
  forms(untransformed: Digest): Iterable<Digest>;
  /** In any order. */
  locationRecords(place: ScopedDigest): Iterable<LocationRecord>;
}

/** The writing half. A `change` is given the row as it is, touches no other, and returns the new one. */
export interface FactRows extends FactReader {
  /** An empty row removes. */
  updateDigestRow(digest: Digest, change: (row: DigestRow) => DigestRow): void;
  addForm(untransformed: Digest, form: Digest): void;
  removeForm(untransformed: Digest, form: Digest): void;
  /** Undefined removes. */
  updateLocationRecord(
    place: ScopedDigest,
    location: string,
    change: (locationRecord: LocationRecord | undefined) => LocationRecord | undefined,
  ): void;
}
