import type { Cancellable } from "@mote/core";
import { identityOf, type OpenedFile, openFile } from "../disk/opened-file.js";
import { readPartList } from "./part-list.js";
import { archiveInParts } from "./part-names.js";
import { assertParts, PartsHandle } from "./parts-handle.js";

export interface OpenedArchive extends OpenedFile {
  /** Changes when the archive is replaced. */
  readonly identity: string;
}

/**
 * Opens an archive: a file, or the parts of one by any of them, by their list, or by the name of the archive.
 * @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_INVALID_ARCHIVE · MOTE_CORRUPT with `verify` if a part is missing or damaged
 */
export async function openArchive(
  path: string,
  { verify = false, signal }: Cancellable & { readonly verify?: boolean } = {},
): Promise<OpenedArchive> {
  const archive = archiveInParts(path);
  if (archive === undefined) {
    const file = await openFile(path);
    return { ...file, identity: await identityOf(file.handle) };
  }
  const parts = await readPartList(archive);
  if (verify) await assertParts(archive, parts, { signal });
  const handle = new PartsHandle(parts);
  try {
    return { handle, offset: 0, size: handle.size, identity: await handle.identity() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
