import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";

export interface Tag {
  readonly name: string;
  readonly descriptor: Descriptor;
  /** Unix milliseconds of its last setting, where the store knows: to name a manifest is to use it. */
  readonly setMs?: number | undefined;
}

/** Names for manifests. A name is any text of 1 to 4096 characters without control characters. */
export interface TagStore {
  resolve(name: string, options?: Cancellable): Promise<Descriptor | undefined>;
  /** Sets or moves the name, atomically. @throws MOTE_INVALID_NAME */
  tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void>;
  /** Absent is fine. */
  untag(name: string, options?: Cancellable): Promise<void>;
  /** In the order of names. */
  list(options?: Cancellable): AsyncIterable<Tag>;
}
