import {
  ByteRanges,
  type CommitMode,
  type Digest,
  type LeadOptions,
  type Mote,
  MoteError,
  type MoteWriter,
  type ResumableWriter,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { ManifestNotes } from "../blobs/manifest-notes.js";
import { RangeNote } from "../processes/range-note.js";
import type { WriterLocks } from "../processes/writer-locks.js";
import { commitFile } from "./commit-file.js";
import { IngestFile } from "./ingest-file.js";
import { RangedBlobWriter } from "./ranged-writer.js";
import { isResumed, ResumableBlobWriter, type ResumableStart } from "./resumable-writer.js";
import { hasRanges, takeOver, takeOverRanges } from "./take-over.js";

/** The writes of one cache: announced motes, open writers, and which of all processes writes a blob. */
export class BlobWriters {
  readonly #store: BlobStore;
  readonly #locks: WriterLocks;
  readonly #manifests: ManifestNotes;
  readonly #pending = new Map<Digest, Mote[]>();
  readonly #open = new Set<Pick<ResumableWriter, "suspend">>();
  readonly #owner = {
    naming: (mote: Mote) => this.#manifests.note(mote),
    committed: (mote: Mote) => this.#manifests.note(mote),
    ended: (writer: Pick<ResumableWriter, "suspend">) => this.#open.delete(writer),
  };

  constructor(store: BlobStore, locks: WriterLocks, manifests: ManifestNotes) {
    this.#store = store;
    this.#locks = locks;
    this.#manifests = manifests;
  }

  announce(digest: Digest, mediaType: string, size: number | undefined): Mote {
    if (size !== undefined && (!Number.isSafeInteger(size) || size < 0)) {
      throw new TypeError(`a size must be a whole number of bytes, not ${String(size)}`);
    }
    if (typeof mediaType !== "string") throw new TypeError("a media type must be a string");
    const mote: Mote = size === undefined ? { digest, mediaType } : { digest, mediaType, size };
    const queue = this.#pending.get(digest);
    if (queue === undefined) this.#pending.set(digest, [mote]);
    else queue.push(mote);
    return mote;
  }

  /** Removes and returns the first announced mote. @throws MOTE_NOT_FOUND */
  takePending(digest: Digest): Mote {
    const queue = this.#pending.get(digest);
    const mote = queue?.shift();
    if (queue?.length === 0) this.#pending.delete(digest);
    if (mote === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not pending: call createMote first`);
    return mote;
  }

  writer(mote: Mote, signal: AbortSignal | undefined): MoteWriter {
    return this.#add(mote, { owner: this.#owner, signal });
  }

  async resume(mote: Mote, signal: AbortSignal | undefined): Promise<ResumableWriter> {
    this.#removePending(mote);
    if (!isResumed(mote)) return this.#add(mote, { owner: this.#owner, signal });
    return await this.#resume(mote, await IngestFile.create(this.#store, mote.digest, "part"), signal);
  }

  /** Becomes the only writer of a blob; undefined if it is complete, or if another process writes it. */
  async lead(mote: Mote, { signal, inAnyOrder = false }: LeadOptions): Promise<ResumableWriter | undefined> {
    const { digest } = mote;
    const isRanged = hasSize(mote) && isResumed(mote) && (inAnyOrder || hasRanges(this.#store, mote));
    const file = await IngestFile.create(this.#store, digest, isRanged ? "ranges" : isResumed(mote) ? "part" : "tmp");
    let isNeeded = false;
    try {
      // In this order: the previous holder of the lock may have committed meanwhile.
      isNeeded = this.#locks.acquire(digest, file.name) && !(await this.#isStored(digest, signal));
    } finally {
      if (!isNeeded) await this.#giveUp(digest, file);
    }
    if (!isNeeded) return undefined;
    this.#removePending(mote);
    return isRanged ? this.#leadRanges(mote, file, signal) : this.#resume(mote, file, signal);
  }

  async #leadRanges(
    mote: Mote & { readonly size: number },
    file: IngestFile,
    signal: AbortSignal | undefined,
  ): Promise<ResumableWriter> {
    const { digest } = mote;
    const written = new ByteRanges();
    let writer: RangedBlobWriter;
    try {
      const note = RangeNote.create(this.#store.ingests, file, written, this.#store.calls);
      const onEnd = () => this.#locks.release(digest, file.name);
      writer = new RangedBlobWriter(this.#store, mote, { file, note, written, signal, owner: this.#owner, onEnd });
    } catch (error) {
      await this.#giveUp(digest, file);
      throw error;
    }
    this.#open.add(writer);
    try {
      await takeOverRanges(this.#store, writer, mote, signal);
      return writer;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** A cheap check first: most often the blob does not exist. */
  async #isStored(digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
    const { calls, folder } = this.#store;
    return calls.mayExist(folder.blobPath(digest)) && (await this.#store.hasReadable(digest, signal));
  }

  async commit(source: string, mote: Mote, mode: CommitMode, signal: AbortSignal | undefined): Promise<void> {
    await this.#manifests.note(mote);
    await commitFile(this.#store, source, mote, { mode, signal });
    await this.#manifests.note(mote);
    this.#removePending(mote);
  }

  /** Ends all writers: resumable ones can be resumed, the others leave nothing. */
  async suspend(): Promise<void> {
    this.#pending.clear();
    await Promise.all([...this.#open].map((writer) => writer.suspend()));
  }

  #add(mote: Mote, start: ResumableStart): ResumableWriter {
    const writer = new ResumableBlobWriter(this.#store, mote, start);
    this.#open.add(writer);
    return writer;
  }

  async #resume(mote: Mote, file: IngestFile, signal: AbortSignal | undefined): Promise<ResumableWriter> {
    const { digest } = mote;
    try {
      const copied = await takeOver(this.#store, file, mote, signal);
      const onEnd = () => this.#locks.release(digest, file.name);
      return this.#add(mote, { ...copied, file, signal, owner: this.#owner, onEnd });
    } catch (error) {
      await this.#giveUp(digest, file);
      throw error;
    }
  }

  async #giveUp(digest: Digest, file: IngestFile): Promise<void> {
    await file.discard();
    this.#locks.release(digest, file.name);
  }

  #removePending(mote: Mote): void {
    const left = this.#pending.get(mote.digest)?.filter((pending) => pending !== mote) ?? [];
    if (left.length > 0) this.#pending.set(mote.digest, left);
    else this.#pending.delete(mote.digest);
  }
}

function hasSize(mote: Mote): mote is Mote & { readonly size: number } {
  return mote.size !== undefined;
}
