import type { Cancellable, ContentDestination, Descriptor, Digest } from "@mote/core";
import type { ImageName } from "./image-name.js";
import type { UnreadableLines } from "./types.js";

/** A blob that a thin archive relies on, and the repositories that may have it. */
export interface ReliedOn {
  readonly size: number;
  readonly images: readonly ImageName[];
}

/** An image of the destination that can be removed. */
export interface RemovableName {
  /** Formatted. */
  readonly destination: string;
  /** What `--tags` is compared with. */
  readonly tag: string;
}

/** Where all images of a run go. */
export interface SyncTarget extends AsyncDisposable {
  /** Whether it gets a new index of selected platforms, as a registry does. */
  readonly isRegistry: boolean;
  /** Lines of exports of blob-info caches that were ignored. */
  readonly unreadable?: readonly UnreadableLines[];
  /** Returns the reference of an image at the destination, which no two images may share. @throws MOTE_INVALID_REFERENCE · MOTE_INVALID_NAME */
  locate(name: ImageName): string;
  /** Returns whether the name stands for the image, and the image is complete unless `nameOnly` is set. */
  isCurrent(
    name: ImageName,
    descriptor: Descriptor,
    options: Cancellable & { readonly nameOnly?: boolean | undefined },
  ): Promise<boolean>;
  /** Opens the destination of one image. The caller disposes of it. */
  open(name: ImageName, reliedOn: ReadonlyMap<Digest, ReliedOn>): Promise<ContentDestination>;
  /** Returns whether a blob that a thin archive relies on is at the destination. */
  hasReliedOn(name: ImageName, descriptor: Descriptor, reliedOn: ReliedOn, options: Cancellable): Promise<boolean>;
  /** Lists the images that are not in `kept`, in the repositories of `kept`, or in the layout or archive. */
  others(kept: readonly ImageName[], options: Cancellable): Promise<readonly RemovableName[]>;
  /** Removes images. Returns why an image was kept; undefined if it was removed. */
  remove(names: readonly RemovableName[], options: Cancellable): Promise<ReadonlyMap<string, string>>;
  /** Completes what is written at once. */
  finish(options: Cancellable): Promise<void>;
}
