import type { Stats } from "node:fs";

export interface OpenBlob {
  readonly fd: number;
  readonly stats: Stats;
  /** Number of the file's other names that are the cache's own, such as a reader's link. */
  readonly ownLinks?: number | undefined;
  /** The path of the reader's link by which it was opened. */
  readonly link?: string | undefined;
}
