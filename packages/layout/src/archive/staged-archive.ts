import type { Cancellable, Descriptor, PathRef } from "@mote/core";
import type { ArchiveFiles } from "../tar/archive-files.js";
import { type ArchiveDestinationOptions, ArchiveStaging } from "./archive-staging.js";

/** What archives have in common as destinations: until `commit`, content is in a hidden folder beside them. */
export abstract class StagedArchive implements AsyncDisposable {
  /** Undefined for stdout, where nothing can be found again. */
  readonly ref: PathRef | undefined;
  protected readonly staging: ArchiveStaging;

  constructor(
    file: string,
    transport: PathRef["transport"],
    options: ArchiveDestinationOptions,
    assertKind: (files: ArchiveFiles, options: Cancellable) => Promise<void>,
  ) {
    this.staging = new ArchiveStaging(file, options, assertKind);
    this.ref = file === "-" ? undefined : { transport, path: this.staging.path };
  }

  /** Whether it was put here since the last commit. @throws MOTE_UNWRITABLE · MOTE_EXISTS if what is at the path can neither be added to nor replaced */
  async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    await this.staging.assertWritable(options);
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
