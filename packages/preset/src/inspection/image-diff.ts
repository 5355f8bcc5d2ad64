import type { Cancellable, Digest } from "@mote/core";

export interface DiffOptions extends Cancellable {
  /** The images of indexes. Default: the only one, or that for Linux on this machine's architecture. */
  readonly platform?: string | undefined;
}

/** What two images share, and how they differ. Sizes in bytes. */
export interface ImageDiff {
  readonly images: readonly [ComparedImage, ComparedImage];
  /** The layers of both, each once: those of the first in its order, then those that only the second has. */
  readonly layers: readonly ComparedLayer[];
  /** Of the layers that both have. */
  readonly sharedBytes: number;
  /** The fields of the configs that differ. */
  readonly config: readonly ChangedField[];
}

export interface ComparedImage {
  readonly reference: string;
  readonly digest: Digest;
  readonly platform?: string | undefined;
  /** Of all its layers, each counted once. */
  readonly bytes: number;
  /** Of the layers that the other does not have. */
  readonly unsharedBytes: number;
}

export interface ComparedLayer {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  readonly createdBy?: string | undefined;
  readonly in: "both" | "first" | "second";
}

export interface ChangedField {
  /** Such as `user`, `env PATH` or `label version`. */
  readonly field: string;
  /** Undefined if only the other image has it. */
  readonly first?: string | undefined;
  readonly second?: string | undefined;
}
