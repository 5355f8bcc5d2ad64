import type { Cancellable } from "@mote/core";

export interface ListTagsOptions extends Cancellable {
  /** Globs, as `tagFilter` takes them. Default: all tags. */
  readonly filter?: readonly string[] | undefined;
  /**
   * By `name`, the default; by `semver`, the highest version first; or by `time`, the image created last first, which reads the config of every
   * tag that the filter selects.
   */
  readonly sort?: "name" | "semver" | "time" | undefined;
  /** At most so many, after sorting. */
  readonly limit?: number | undefined;
}

export interface TagList {
  /** The repository, the layout or the archive. */
  readonly repository: string;
  readonly tags: readonly string[];
  /** With `sort: "time"`, when the images were created, in ISO 8601, as far as it is known. */
  readonly created?: Readonly<Record<string, string>> | undefined;
}
