import type { Cancellable, Digest } from "@mote/core";
import type { TransferEvent } from "@mote/transfer";
import type { DeltaMode } from "../rebuild/layer-rebuilder.js";

/** What to move: a reference, or a list of references. */
export type SyncSource =
  /** An image, or all images of a repository, a layout or an archive if it has no tag and no digest. */
  | string
  /** One `SRC` or `SRC NAME` a line; `#` starts a comment. */
  | { readonly list: string };

export interface SyncOptions extends Cancellable {
  /** Concurrent blob transfers of each image. Default 6, plus 10 for blobs of up to 256 KiB. */
  readonly concurrency?: number | undefined;
  /** As in `PullOptions`. */
  readonly connectionsPerBlob?: number | undefined;
  /** Only tags that match these globs, and none that matches one after a `!`. Of a list, images with such tags. */
  readonly tags?: readonly string[] | undefined;
  /** Only the newest tags of each repository, after `tags`. */
  readonly newest?: { readonly count: number; readonly by: "version" | "time" } | undefined;
  /** Replaces the beginning of names, such as `docker.io/library` by `base`. The longest match wins. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  /** What the reader of an archive has: archives, layouts, files with digests, exports of blob-info caches, or registries. */
  readonly without?: readonly string[] | undefined;
  /** As in `PullOptions`. */
  readonly platform?: string | readonly string[] | undefined;
  readonly referrers?: boolean | undefined;
  /** As in `PullOptions`. */
  readonly delta?: DeltaMode | undefined;
  /** Images that are moved concurrently. Default 6. */
  readonly imagesAtOnce?: number | undefined;
  /** Only report what would be moved. Default false. */
  readonly dryRun?: boolean | undefined;
  /**
   * Remove the tags of the destination's repositories, or the images of its layout or archive, that match `tags` and are not in the source.
   * Nothing is removed if an image failed, or if the source has none. Default false.
   */
  readonly remove?: boolean | undefined;
  /** Replace a file that is not an archive. Images of the same name are always replaced. Default: MOTE_EXISTS for each image. */
  readonly overwrite?: boolean | undefined;
  /** Writes an archive in parts of at most this many bytes. */
  readonly partBytes?: number | undefined;
  /** As in `PullOptions`, for all images together. */
  readonly maxRate?: number | Readonly<Record<string, number>> | undefined;
  /** Called once with the number of images, before the first is moved. */
  readonly onFound?: ((images: number) => void) | undefined;
  /** Called for each image that ended. */
  readonly onImage?: ((image: SyncedImage, progress: SyncProgress) => void) | undefined;
  /** Called for the events of each image's transfer; those of several images are interleaved. Not called for a dry run. */
  readonly onEvent?: ((event: TransferEvent, image: Pick<SyncedImage, "source" | "destination">) => void) | undefined;
}

export interface SyncProgress {
  readonly done: number;
  readonly images: number;
}

export interface SyncedImage {
  /** The reference of the source, or the line of a list that is not valid. */
  readonly source: string;
  /** The line of the list, from 1. */
  readonly line?: number | undefined;
  /** The reference at the destination; undefined if there is none. */
  readonly destination?: string | undefined;
  readonly state: "copied" | "unchanged" | "planned" | "failed";
  readonly digest?: Digest | undefined;
  /** Blobs that were sent to the destination, or would be, and their bytes. Of several images, the first counts a shared blob. */
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that the destination mounted from another of its repositories. */
  readonly mounted: number;
  readonly warnings: readonly string[];
  readonly error?:
    | { readonly code: string; readonly message: string; readonly details?: object | undefined }
    | undefined;
}

export interface RemovedName {
  /** The reference at the destination. */
  readonly destination: string;
  readonly state: "removed" | "planned" | "kept";
  /** Why it was kept or could not be removed. */
  readonly reason?: string | undefined;
}

/** Lines of an export of a blob-info cache (`without`) that were ignored, because they are not valid. */
export interface UnreadableLines {
  readonly path: string;
  /** How many. */
  readonly lines: number;
  /** The number of the first one, from 1. */
  readonly firstLine: number;
}

export interface SyncReport {
  readonly destination: string;
  /** In the order of the source. */
  readonly images: readonly SyncedImage[];
  /** With `remove`. */
  readonly removed: readonly RemovedName[];
  readonly failed: number;
  /** Blobs that were sent, or would be, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
  /** Absent if there are none. */
  readonly unreadable?: readonly UnreadableLines[] | undefined;
  readonly dryRun: boolean;
  readonly durationMs: number;
}
