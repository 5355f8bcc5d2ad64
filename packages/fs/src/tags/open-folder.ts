import { isManifestType } from "@mote/core";
import { lstatIfThere, readPlainFile } from "../disk/plain-file.js";
import type { DigestFiles } from "../folder/digest-files.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { TagFiles } from "./tag-files.js";

/** Opens a cache folder, creates a new one, or adopts another program's layout. */
export async function openFolder(
  ingests: IngestFiles,
  { tags, manifests }: { readonly tags: TagFiles; readonly manifests: DigestFiles },
): Promise<void> {
  const { folder } = ingests;
  if (folder.inspect() === "layout") {
    folder.makeFolders();
    const index = readPlainFile(folder.indexFile);
    // The named entries become tags, and all manifests roots.
    for (const { digest, mediaType } of index === undefined ? [] : await tags.adopt(index)) {
      if (isManifestType(mediaType)) manifests.add(digest, mediaType);
    }
  }
  await establishFolder(ingests);
  await tags.view.writeIfSpace();
}

/** Creates whatever is missing: the first time, and when the folder of an open cache was removed. */
export async function establishFolder(ingests: IngestFiles): Promise<void> {
  const { folder } = ingests;
  folder.makeFolders();
  if (!isFile(folder.layoutFile)) {
    await writeAtomically(ingests, folder.layoutFile, `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`);
  }
  // Last, as it marks the folder as a cache: after an earlier crash the layout is adopted again.
  if (!isFile(folder.formatFile)) await writeAtomically(ingests, folder.formatFile, folder.formatText());
}

/** Returns false also for a symbolic link, which is replaced. */
function isFile(path: string): boolean {
  return lstatIfThere(path)?.isFile() ?? false;
}
