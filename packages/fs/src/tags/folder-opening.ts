import type { Cancellable } from "@mote/core";
import type { CacheFolder } from "../folder/cache-folder.js";
import { closedError } from "../processes/ingest-files.js";

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
