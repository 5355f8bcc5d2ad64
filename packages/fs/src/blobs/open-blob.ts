import type { Stats } from "node:fs";

export interface OpenBlob {
  readonly fd: number;
  readonly stats: Stats;
  /** Other names of the file that are the cache's own, such as a reader's link. */
  readonly ownLinks?: number | undefined;
  /** The path of a reader's link, by which it was opened. */
  readonly link?: string | undefined;
}
