import { namePattern } from "../input/name-pattern.js";
import { UsageError } from "../input/usage-error.js";
import type { ListedItem } from "./listing.js";
import { parseBytes, parseDurationMs } from "./quantity.js";

export const sortKeys = ["name", "size", "age", "used"] as const;
export const kinds = ["image", "index", "artifact", "config", "layer", "blob"] as const;

export interface ListingOptions {
  readonly sort?: (typeof sortKeys)[number] | undefined;
  readonly reverse: boolean;
  readonly tagged: boolean;
  readonly untagged: boolean;
  readonly pinned: boolean;
  readonly olderThan?: string | undefined;
  readonly largerThan?: string | undefined;
  readonly kind?: (typeof kinds)[number] | undefined;
}

/** Returns the filter of a listing. @throws UsageError */
export function listingFilter(patterns: readonly string[], options: ListingOptions): (item: ListedItem) => boolean {
  const { tagged, untagged, pinned, kind } = options;
  if (tagged && untagged) throw new UsageError("cannot combine --tagged with --untagged");
  const fits = patterns.map(namePattern);
  const largerThan = options.largerThan === undefined ? -1 : parseBytes(options.largerThan);
  const olderThanMs = options.olderThan === undefined ? undefined : Date.now() - parseDurationMs(options.olderThan);
  return (item) =>
    (fits.length === 0 || fits.some((fit) => isNamed(item, fit))) &&
    (!tagged || item.name !== undefined) &&
    (!untagged || item.name === undefined) &&
    (!pinned || item.isPinned) &&
    (kind === undefined || item.kind === kind) &&
    item.bytes > largerThan &&
    (olderThanMs === undefined || (item.usedMs ?? 0) < olderThanMs);
}

/** Returns whether a pattern matches a name, or a digest in the form `sha256:4bcf`. */
function isNamed({ name, digest, partOf, refersTo }: ListedItem, fit: (name: string) => boolean): boolean {
  return (name !== undefined && fit(name)) || fit(digest) || partOf.some(fit) || refersTo.some(fit);
}

/** Returns the order: largest, oldest or least recently used first; names alphabetically, items without a name last. */
export function listingOrder({
  sort = "name",
  reverse,
}: ListingOptions): (one: ListedItem, other: ListedItem) => number {
  const compare = comparers[sort];
  const sign = reverse ? -1 : 1;
  return (one, other) => sign * (compare(one, other) || byName(one, other));
}

const byName: Comparer = (one, other) => {
  if (one.name === undefined || other.name === undefined) {
    return Number(one.name === undefined) - Number(other.name === undefined) || (one.digest < other.digest ? -1 : 1);
  }
  return one.name < other.name ? -1 : Number(one.name > other.name);
};

type Comparer = (one: ListedItem, other: ListedItem) => number;

const comparers: Readonly<Record<(typeof sortKeys)[number], Comparer>> = {
  name: byName,
  size: (one, other) => other.bytes - one.bytes,
  age: (one, other) => (one.storedMs ?? 0) - (other.storedMs ?? 0),
  used: (one, other) => (one.usedMs ?? 0) - (other.usedMs ?? 0),
};
