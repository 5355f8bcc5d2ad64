import { isManifestType } from "@mote/core";
import { lstatIfThere, readPlainFile } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import type { DigestFiles } from "../folder/digest-files.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { TagFiles } from "./tag-files.js";

/** Opens a folder on first use, and again after it was removed. */
export class FolderOpening {
  readonly #folder: CacheFolder;
  readonly #openFolder: () => Promise<void>;
  #inspected = false;
  #opening: Promise<void> | undefined;
  /** Whether everything that the folder needs exists, as far as known. */
  isOpen = false;

  constructor(folder: CacheFolder, open: () => Promise<void>) {
    this.#folder = folder;
    this.#openFolder = open;
  }

  /** Rejects an unsupported folder: inspects it once, and later only checks for symbolic links. */
  toRead(): void {
    if (this.#inspected) this.#folder.refuseNewLinks();
    else this.inspect();
  }

  /** As `toRead`, without the check for links once the folder is known: for frequent calls. */
  toReadOften(): void {
    if (!this.#inspected) this.inspect();
  }

  inspect(): ReturnType<CacheFolder["inspect"]> {
    const state = this.#folder.inspect();
    this.#inspected = true;
    return state;
  }

  /** Creates what is missing. */
  async toWrite(): Promise<void> {
    if (!this.#folder.refuseNewLinks()) {
      this.#opening = undefined;
      this.isOpen = false;
    }
    await this.toWriteOften();
  }

  /** As `toWrite`, without a check once the folder is open: for frequent calls. Tries again after an error. */
  toWriteOften(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    await this.#openFolder();
    this.#inspected = true;
    this.isOpen = true;
  }
}

/** Opens a cache folder, creates a new one, or adopts another program's layout. */
export async function openFolder(
  folder: CacheFolder,
  ingests: IngestFiles,
  into: { readonly tags: TagFiles; readonly manifests: DigestFiles },
): Promise<void> {
  if (folder.inspect() === "layout") {
    folder.makeFolders();
    await adopt(folder, into);
  }
  await establishFolder(folder, ingests);
  await into.tags.view.writeIfSpace();
}

/** Creates whatever is missing: the first time, and when the folder of an open cache was removed. */
export async function establishFolder(folder: CacheFolder, ingests: IngestFiles): Promise<void> {
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

/** Turns the named entries of an `index.json` into tags, and records all manifests as roots. */
async function adopt(
  folder: CacheFolder,
  { tags, manifests }: { readonly tags: TagFiles; readonly manifests: DigestFiles },
): Promise<void> {
  const index = readPlainFile(folder.indexFile);
  if (index === undefined) return;
  for (const { digest, mediaType } of await tags.adopt(index)) {
    if (isManifestType(mediaType)) manifests.add(digest, mediaType);
  }
}
