import type { Cancellable, Digest } from "@mote/core";
import type { ImageFile, PlacedFiles, PlaceFilesOptions } from "@mote/layout";
import type { TransferEvent } from "@mote/transfer";

export interface ImageFilesOptions extends Cancellable {
  /** The image of an index. Default: the only one, or that for Linux on this machine's architecture. */
  readonly platform?: string | undefined;
  /** Receives the events of the layers that are fetched. */
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
}

/**
 * The files of an image, with all layers applied. Paths and links are resolved inside the image. Layers are read from the top, and only
 * those that are needed. Dispose of it.
 */
export interface ImageFiles extends AsyncDisposable {
  /** Of the image. */
  readonly digest: Digest;
  /** The platform that was chosen because none was requested. */
  readonly chosenPlatform: string | undefined;
  /** Returns what a path leads to. @throws MOTE_NOT_FOUND with `details` `{ wanted, siblings, sameName }` */
  find(path: string): Promise<ImageFile>;
  /** Yields a file, or a folder with everything below it; by default everything. Text is as found: escape it before you print it. */
  list(path?: string): AsyncIterable<ImageFile>;
  /** Yields the content of a file. @throws MOTE_NOT_FOUND, also for anything but a file */
  read(path: string): AsyncIterable<Uint8Array>;
  /** Yields a tar of files and folders, each under the last name of its path. @throws MOTE_NOT_FOUND · MOTE_INVALID_NAME */
  tar(paths: readonly string[]): AsyncIterable<Uint8Array>;
  /**
   * Writes files and folders into a folder, each under the last name of its path; `/` is everything. They belong to the current user.
   * Nothing is written outside of the folder. @throws MOTE_NOT_FOUND · MOTE_INVALID_NAME · MOTE_EXISTS …
   */
  place(paths: readonly string[], dir: string, options?: PlaceFilesOptions): Promise<PlacedFiles>;
}
