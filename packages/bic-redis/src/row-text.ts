import type { BlobFact, DigestRow, LocationRecord, ScopedDigest } from "@mote/bic";
import { parseDigest } from "@mote/core";

/** The indexes, each a sorted set of facts by sequence: locations seen, locations gone, pairs, transformers. */
export type IndexName = "seen" | "gone" | "pairs" | "transformers";

export const indexNames: readonly IndexName[] = ["seen", "gone", "pairs", "transformers"];

// JSON keeps every text, such as one with half a surrogate pair, and has no line feed, which separates a row from a field.
const separator = "\n";

/** Returns the name of a digest's row, after the prefix. Its fields are `pair` and `transformer`. */
export function digestRowName(digest: string): string {
  return `digest:${digest}`;
}

/** Returns the name of the row with a blob's locations. Its fields are the locations as JSON. */
export function locationRowName({ transport, scope, digest }: ScopedDigest): string {
  // As JSON.stringify of the array, but faster; a digest needs no escapes.
  return `at:[${JSON.stringify(transport)},${JSON.stringify(scope)},"${digest}"]`;
}

/** Returns the name of the set of the digests whose untransformed form is this one. */
export function formsName(untransformed: string): string {
  return `forms:${untransformed}`;
}

export function formatLocation(record: Omit<LocationRecord, "location">): string {
  return `${record.sequence} ${record.lastSeenMs} ${record.gone ? 1 : 0}`;
}

export function parseLocation(field: string, value: string): LocationRecord {
  const [sequence, lastSeenMs, gone] = value.split(" ");
  return {
    sequence: Number(sequence),
    lastSeenMs: Number(lastSeenMs),
    gone: gone === "1",
    location: JSON.parse(field),
  };
}

export function formatPair(pair: NonNullable<DigestRow["pair"]>): string {
  return `${pair.sequence} ${pair.lastSeenMs} ${pair.implied ? 1 : 0} ${pair.untransformed}`;
}

export function parsePair(value: string): NonNullable<DigestRow["pair"]> {
  const [sequence, lastSeenMs, implied, untransformed] = value.split(" ");
  const pair = {
    sequence: Number(sequence),
    lastSeenMs: Number(lastSeenMs),
    untransformed: parseDigest(untransformed ?? ""),
  };
  return implied === "1" ? { ...pair, implied: true } : pair;
}

export function formatTransformer({ sequence, lastSeenMs, name }: NonNullable<DigestRow["transformer"]>): string {
  return `${sequence} ${lastSeenMs} ${JSON.stringify(name)}`;
}

export function parseTransformer(value: string): NonNullable<DigestRow["transformer"]> {
  const [sequence = "", lastSeenMs = ""] = value.split(" ", 2);
  const name = value.slice(sequence.length + lastSeenMs.length + 2);
  return { sequence: Number(sequence), lastSeenMs: Number(lastSeenMs), name: JSON.parse(name) };
}

/** Splits a member of an index into the row and the field of its fact. */
export function splitMember(member: string): { readonly row: string; readonly field: string } {
  const at = member.indexOf(separator);
  return { row: member.slice(0, at), field: member.slice(at + 1) };
}

/** Returns the fact that is stored in a field of a row. */
export function factOf(row: string, field: string, value: string): BlobFact {
  const name = row.slice(row.indexOf(":") + 1);
  if (row.startsWith("digest:")) {
    const digest = parseDigest(name);
    if (field === "pair") return { fact: "pair", digest, ...parsePair(value) };
    return { fact: "transformer", digest, ...parseTransformer(value) };
  }
  const [transport, scope, digest] = JSON.parse(name);
  const { gone, ...seen } = parseLocation(field, value);
  return { fact: gone ? "absence" : "location", transport, scope, digest: parseDigest(digest), ...seen };
}
