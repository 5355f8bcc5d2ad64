import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Cancellable, collectChunks, isNotFound, MoteError } from "@mote/core";
import { readChunks } from "./chunks.js";
import { readFailed } from "./file-error.js";
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
  try {
    const what = join(files.location, name);
    return await collectChunks(readChunks(file, 0, what, options.signal), { maxBytes: options.maxBytes, what });
  } finally {
    await file.handle.close();
  }
}

/** Returns whether a file of that name exists. @throws as `open`, except MOTE_NOT_FOUND */
export async function hasFile(files: NamedFiles, name: string, options: Cancellable): Promise<boolean> {
  try {
    await (await files.open(name, options)).handle.close();
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

export class FolderFiles implements NamedFiles {
  readonly location: string;

  constructor(dir: string) {
    this.location = dir;
  }

  async open(name: string, options: Cancellable = {}): Promise<OpenedFile> {
    options.signal?.throwIfAborted();
    return openFile(join(this.location, name));
  }

  async assertThere(): Promise<void> {
    const stats = await stat(this.location).catch((error: unknown) => {
      throw readFailed(error, this.location);
    });
    if (!stats.isDirectory()) throw new MoteError("MOTE_NOT_FOUND", `${this.location} is not a directory`);
  }
}
