import { type Cancellable, isManifestType } from "@mote/core";
import { lstatIfThere, readPlainFile } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import type { DigestFiles } from "../folder/digest-files.js";
import { writeAtomically } from "../processes/atomic-file.js";
import { closedError, type IngestFiles } from "../processes/ingest-files.js";
import type { TagFiles } from "./tag-files.js";

/** Opens a folder on first use, and again after it was removed. Whatever uses the folder calls it first; it throws if that is not possible. */
export class FolderOpening {
  readonly #folder: CacheFolder;
  readonly #openFolder: () => Promise<void>;
  #isInspected = false;
  #isClosed = false;
  #opening: Promise<void> | undefined;
  /** Whether everything that the folder needs exists, as far as known. */
  isOpen = false;

  constructor(folder: CacheFolder, open: () => Promise<void>) {
    this.#folder = folder;
    this.#openFolder = open;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** @throws MOTE_CLOSED after `close` · the signal's reason */
  assertOpen(options?: Cancellable): void {
    if (this.#isClosed) throw closedError(`the cache at ${this.#folder.root}`);
    options?.signal?.throwIfAborted();
  }

  /** Rejects an unsupported folder: inspects it once, and later only checks for symbolic links. */
  toRead(options?: Cancellable): void {
    if (!this.#isInspected) this.inspect(options);
    else {
      this.assertOpen(options);
      this.#folder.refuseNewLinks();
    }
  }

  /** As `toRead`, without the check for links once the folder is known: for frequent calls. */
  toReadOften(options?: Cancellable): void {
    if (this.#isInspected) this.assertOpen(options);
    else this.inspect(options);
  }

  inspect(options?: Cancellable): void {
    this.assertOpen(options);
    this.#folder.inspect();
    this.#isInspected = true;
  }

  /** Creates what is missing. */
  async toWrite(options?: Cancellable): Promise<void> {
    this.assertOpen(options);
    if (!this.#folder.refuseNewLinks()) {
      this.#opening = undefined;
      this.isOpen = false;
    }
    await this.toWriteOften();
  }

  /** As `toWrite`, without a check once the folder is open: for frequent calls. Tries again after an error. */
  toWriteOften(): Promise<void> {
    this.assertOpen();
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    await this.#openFolder();
    this.#isInspected = true;
    this.isOpen = true;
  }
}

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
