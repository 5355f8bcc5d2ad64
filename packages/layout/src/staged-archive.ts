import type { Cancellable, Descriptor, PathRef } from "@mote/core";
import { ArchiveStaging } from "./archive-staging.js";

/** What archives have in common as places that content goes to: until `commit`, it is in a hidden folder beside them. */
export abstract class StagedArchive implements AsyncDisposable {
  readonly ref: PathRef;
  protected readonly staging: ArchiveStaging;

  constructor(file: string, transport: PathRef["transport"]) {
    this.staging = new ArchiveStaging(file);
    this.ref = { transport, path: this.staging.path };
  }

  /** Of what was put here since the last commit. */
  async has(descriptor: Descriptor, options?: Cancellable): Promise<boolean> {
    return this.staging.dir !== undefined && (await this.staging.layout.has(descriptor, options));
  }

  /** The path where the blob will be until `commit`. */
  linkable(descriptor: Descriptor): string {
    return this.staging.layout.linkable(descriptor);
  }

  /** @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO, and nothing is left */
  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options?: Cancellable): Promise<void> {
    await this.staging.layout.blob(descriptor, chunks, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.staging[Symbol.asyncDispose]();
  }
}
