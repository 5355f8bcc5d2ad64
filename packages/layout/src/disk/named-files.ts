import { type FileHandle, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Cancellable, ifFound, MoteError } from "@mote/core";
import { collectFile } from "./chunks.js";
import { attemptRead } from "./file-error.js";
import { type OpenedFile, openFile } from "./opened-file.js";

/** The files of a folder or archive, read by name. */
export interface NamedFiles {
  readonly location: string;
  /** The caller closes the handle. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_INVALID_ARCHIVE */
  open(name: string, options?: Cancellable): Promise<OpenedFile>;
  /** @throws MOTE_NOT_FOUND if the folder or archive itself does not exist */
  assertThere(): Promise<void>;
}

/** Reads a small file. @throws MOTE_TOO_LARGE, and as `open` */
export async function readSmallFile(
  files: NamedFiles,
  name: string,
  options: Cancellable & { readonly maxBytes: number },
): Promise<Uint8Array> {
  const file = await files.open(name, options);
  return await collectFile(file, join(files.location, name), options.maxBytes, options.signal);
}

/** Returns whether a file of that name exists. @throws as `open`, except MOTE_NOT_FOUND */
export async function hasFile(files: NamedFiles, name: string, options: Cancellable): Promise<boolean> {
  const file = await ifFound(files.open(name, options));
  await file?.handle.close();
  return file !== undefined;
}

export class FolderFiles implements NamedFiles {
  readonly location: string;

  constructor(dir: string) {
    this.location = dir;
  }

  async open(name: string, options: Cancellable = {}): Promise<OpenedFile<FileHandle>> {
    options.signal?.throwIfAborted();
    return openFile(join(this.location, name));
  }

  async assertThere(): Promise<void> {
    const stats = await attemptRead(stat(this.location), this.location);
    if (!stats.isDirectory()) throw new MoteError("MOTE_NOT_FOUND", `${this.location} is not a directory`);
  }
}
