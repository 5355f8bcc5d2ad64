import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";

export interface Tag {
  readonly name: string;
  readonly descriptor: Descriptor;
  /** When the tag was last set, in Unix milliseconds, if known. Tagging a manifest counts as a use of it. */
  readonly setMs?: number | undefined;
}

/** Maps names to manifests. A name is any text of 1 to 4096 characters without control characters. */
export interface TagStore {
  resolve(name: string, options?: Cancellable): Promise<Descriptor | undefined>;
  /** Sets or moves a tag atomically. @throws MOTE_INVALID_NAME */
  tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void>;
  /** Removes a tag. Does nothing if it does not exist. */
  untag(name: string, options?: Cancellable): Promise<void>;
  /** Yields all tags in the order of their names. */
  list(options?: Cancellable): AsyncIterable<Tag>;
}
