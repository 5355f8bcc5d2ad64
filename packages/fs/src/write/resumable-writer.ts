import type { Mote, ResumableWriter } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { smallBytes } from "../disk/small-buffers.js";
import { BlobWriter, type WriterStart } from "./blob-writer.js";

export interface ResumableStart extends WriterStart {
  readonly owner: WriterOwner;
  readonly onEnd?: () => void;
}

/** Receives a writer's events. */
export interface WriterOwner {
  /** Before a blob has its name. */
  naming(mote: Mote): Promise<void> | undefined;
  committed(mote: Mote): Promise<void> | undefined;
  ended(writer: Pick<ResumableWriter, "suspend">): void;
}

/** A writer that resumes from the bytes of an earlier one, and can leave its own. Without a file it leaves nothing. */
export class ResumableBlobWriter extends BlobWriter implements ResumableWriter {
  readonly offset: number;
  readonly #store: BlobStore;
  readonly #mote: Mote;
  readonly #start: ResumableStart;

  constructor(store: BlobStore, mote: Mote, start: ResumableStart) {
    super(store, mote, start);
    this.#store = store;
    this.#mote = mote;
    this.#start = start;
    this.offset = start.offset ?? 0;
  }

  async suspend(): Promise<void> {
    const { file } = this.#start;
    if (file === undefined || !isResumed(this.#mote)) await this.abort();
    else await this.keepAs(this.#store.ingests.abandonedPath(file.path));
  }

  protected override naming(): Promise<void> | undefined {
    return this.#start.owner.naming(this.#mote);
  }

  protected override committed(): Promise<void> | undefined {
    return this.#start.owner.committed(this.#mote);
  }

  protected override ended(): void {
    this.#start.onEnd?.();
    this.#start.owner.ended(this);
  }
}

/** Returns whether a file with the blob's first bytes outlives its writer: a small blob is not worth it. */
export function isResumed({ size }: Mote): boolean {
  return size === undefined || size > smallBytes;
}
