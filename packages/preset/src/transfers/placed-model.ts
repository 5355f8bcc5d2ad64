import type { MoveReport } from "./move-report.js";

/** A model where a tool looks for it. */
export interface PlacedModel {
  /** The name of the tool. */
  readonly tool: string;
  /** What the tool calls the model. */
  readonly name: string;
  /** The folder that the files are in. */
  readonly dir: string;
  readonly files: readonly {
    /** Below `dir`. */
    readonly path: string;
    /** In bytes. Undefined for a folder with the content of archives. */
    readonly size?: number;
    /** Whether the file is a hard link, as of the cache. Otherwise it is a clone or a copy. Undefined for a folder. */
    readonly isHardLink?: boolean;
  }[];
  readonly report: MoveReport;
}
