import type { Digest } from "@mote/core";
import type { PlacedFiles } from "@mote/layout";
import type { MoveReport } from "../transfers/move-report.js";
import type { ImageFilesOptions } from "./image-files.js";

export interface UnpackImageOptions extends ImageFilesOptions {
  /** Concurrent blob transfers, as in a pull. */
  readonly concurrency?: number | undefined;
  /** As in `PullOptions`. */
  readonly connectionsPerBlob?: number | undefined;
  /** As in `PullOptions`. */
  readonly maxRate?: number | Readonly<Record<string, number>> | undefined;
  /** Write into a folder that is not empty, and replace files in it. Default: MOTE_EXISTS. */
  readonly overwrite?: boolean | undefined;
}

export interface UnpackedImage {
  /** Of the image. */
  readonly digest: Digest;
  /** The platform that was requested, or chosen because none was. */
  readonly platform: string | undefined;
  /** What was fetched. Undefined without a cache. */
  readonly report: MoveReport | undefined;
  readonly placed: PlacedFiles;
}
