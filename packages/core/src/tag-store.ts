import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";

export interface Tag {
  readonly name: string;
  readonly descriptor: Descriptor;
  /** When the tag was last set, in Unix milliseconds, if known. Tagging a manifest counts as a use of it. */
  readonly setMs?: number | undefined;
}

/** Selects tags by name. Names are compared by UTF-16 code units, as JavaScript's `<` does. */
export interface ListTagsOptions extends Cancellable {
  /** Only names that begin with this text. */
  readonly prefix?: string | undefined;
  /** Only names after this one. It need not exist. */
  readonly after?: string | undefined;
  /** Yields at most so many tags. Default: all. */
  readonly limit?: number | undefined;
}

export interface UntagOptions extends Cancellable {
  /** Whether the manifest still belongs to its repository, without this name. Default false: only if another name there means it. */
  readonly keepsMembership?: boolean | undefined;
}

/** Maps names to manifests. A name is any text of 1 to 4096 characters without control characters. */
export interface TagStore {
  resolve(name: string, options?: Cancellable): Promise<Descriptor | undefined>;
  /** Sets or moves a tag atomically. @throws MOTE_INVALID_NAME */
  tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void>;
  /** Removes a tag. Does nothing if it does not exist. */
  untag(name: string, options?: UntagOptions): Promise<void>;
  /** Yields tags in the order of their names. @throws TypeError if `limit` is not a whole number of at least 0 */
  list(options?: ListTagsOptions): AsyncIterable<Tag>;
}

/** Checks the limit of a listing. @throws TypeError */
export function listLimit({ limit = Number.POSITIVE_INFINITY }: ListTagsOptions): number {
  if (limit >= 0 && (Number.isInteger(limit) || limit === Number.POSITIVE_INFINITY)) return limit;
  throw new TypeError(`limit must be a whole number of at least 0, not ${limit}`);
}

/** Returns the index, in a list of names in order, of the first name that `prefix` and `after` allow. */
export function firstListed(names: readonly string[], { prefix = "", after }: ListTagsOptions): number {
  const isBefore = (name: string) => name < prefix || (after !== undefined && name <= after);
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(names[middle] ?? "")) low = middle + 1;
    else high = middle;
  }
  return low;
}
