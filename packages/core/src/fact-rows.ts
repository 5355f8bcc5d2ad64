import type { FactTime } from "./blob-fact.js";
import type { Digest } from "./digest.js";

/** What is known of one digest's content. */
export interface DigestRow {
  readonly pair?: FactTime & { readonly untransformed: Digest };
  readonly transformer?: FactTime & { readonly name: string };
}

/** Where a blob's locations are kept. */
export interface Place {
  readonly transport: string;
  readonly scope: string;
  readonly digest: Digest;
}

/** A location where the blob was seen, or with `gone` was found missing. */
export interface Sighting extends FactTime {
  readonly location: string;
  readonly gone: boolean;
}

/** The reading half of a synchronous store of facts: rows in, no rules. */
export interface FactReader {
  digestRow(digest: Digest): DigestRow | undefined;
  /** The digests whose untransformed form is this one, itself left out. */
  forms(untransformed: Digest): Iterable<Digest>;
  /** In any order. */
  sightings(place: Place): Iterable<Sighting>;
}

/** The writing half. */
export interface FactRows extends FactReader {
  /** An empty row removes. */
  setDigestRow(digest: Digest, row: DigestRow): void;
  addForm(untransformed: Digest, form: Digest): void;
  removeForm(untransformed: Digest, form: Digest): void;
  sighting(place: Place, location: string): Sighting | undefined;
  setSighting(place: Place, sighting: Sighting): void;
  removeSighting(place: Place, location: string): void;
}
