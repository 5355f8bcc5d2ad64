import fs from "node:fs";
import { isManifestType } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { readPlainFile } from "../disk/plain-file.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { TagFiles } from "../tags/tag-files.js";
import type { CacheFolder } from "./cache-folder.js";
import type { DigestFiles } from "./digest-files.js";

/** Opens a cache folder, makes a new one, or adopts a layout that others made. */
export async function openFolder(
  folder: CacheFolder,
  parts: IngestFiles,
  into: { readonly tags: TagFiles; readonly manifests: DigestFiles },
): Promise<void> {
  if (folder.inspect() === "layout") {
    folder.makeFolders();
    await adopt(folder, into);
  }
  await establishFolder(folder, parts);
  await into.tags.writeViewIfRoom();
}

/** Makes what is missing: the first time, and when the folder was removed under a living cache. */
export async function establishFolder(folder: CacheFolder, parts: IngestFiles): Promise<void> {
  folder.makeFolders();
  if (isMissing(folder.layoutFile)) {
    await writeAtomically(parts, folder.layoutFile, `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`);
  }
  // Last, for it says that the folder is a cache: a crash before it only means to adopt again.
  if (isMissing(folder.formatFile)) await writeAtomically(parts, folder.formatFile, folder.formatText());
}

/** A symbolic link in a file's place is replaced. */
function isMissing(path: string): boolean {
  try {
    return !(fs.lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
  } catch (error) {
    throw fileError(error, "read", path);
  }
}

/** The named entries of an `index.json` become tags; all manifests are remembered as roots. */
async function adopt(
  folder: CacheFolder,
  { tags, manifests }: { readonly tags: TagFiles; readonly manifests: DigestFiles },
): Promise<void> {
  let index: Uint8Array | undefined;
  try {
    index = readPlainFile(folder.indexFile);
  } catch (error) {
    throw fileError(error, "read", folder.indexFile);
  }
  if (index === undefined) return;
  for (const { digest, mediaType } of await tags.adopt(index)) {
    if (isManifestType(mediaType)) manifests.add(digest, mediaType);
  }
}
