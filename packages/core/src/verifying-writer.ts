import { ContentVerifier } from "./content-verifier.js";
import { MoteError } from "./error.js";
import type { Mote, MoteInfo, MoteWriter } from "./mote.js";

/** Stores the bytes of one pending mote in a backend. */
export interface WriterTarget {
  /** Stores bytes. Their memory may be reused when it returns or resolves. */
  write?(bytes: Uint8Array): Promise<void> | void;
  /** Makes the mote visible. Called after size and digest are verified. */
  commit?(info: MoteInfo): Promise<void> | void;
  /** Removes the bytes. Called once if the mote is not committed. */
  discard?(): Promise<void> | void;
}

/** Implements the writer of a backend: verifies size and digest before it commits to the target. */
export class VerifyingWriter implements MoteWriter {
  readonly #mote: Mote;
  readonly #target: WriterTarget;
  readonly #verifier: ContentVerifier;
  #closing: Promise<MoteInfo> | undefined;
  #discarding: Promise<void> | undefined;

  /** Without a target, bytes are verified and discarded. */
  constructor(mote: Mote, target: WriterTarget = {}) {
    this.#mote = mote;
    this.#target = target;
    this.#verifier = new ContentVerifier(mote);
  }

  get bytesWritten(): number {
    return this.#verifier.bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    this.#verifier.update(bytes);
    await this.#target.write?.(bytes);
  }

  close(): Promise<MoteInfo> {
    this.#closing ??= this.#commit();
    return this.#closing;
  }

  async abort(): Promise<void> {
    // A committed mote stays; a failed commit has discarded its bytes.
    if (this.#closing !== undefined) await this.#closing.catch(() => {});
    else await this.#discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  async #commit(): Promise<MoteInfo> {
    if (this.#discarding !== undefined) throw this.#closed();
    try {
      this.#verifier.finish();
      const info = { digest: this.#mote.digest, mediaType: this.#mote.mediaType, size: this.#verifier.bytes };
      await this.#target.commit?.(info);
      return info;
    } catch (error) {
      await this.#discard();
      throw error;
    }
  }

  #discard(): Promise<void> {
    this.#discarding ??= Promise.resolve(this.#target.discard?.());
    return this.#discarding;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined || this.#discarding !== undefined) throw this.#closed();
  }

  #closed(): MoteError {
    return new MoteError("MOTE_CLOSED", `the writer of ${this.#mote.digest} is closed or aborted`);
  }
}
