import { ContentVerifier } from "./content-verifier.js";
import { MoteError } from "./error.js";
import type { Mote, MoteInfo, MoteWriter } from "./mote.js";

/** Where a backend puts the bytes of one pending mote. */
export interface WriterTarget {
  /** The bytes are the caller's again when this has returned or resolved. */
  write?(bytes: Uint8Array): Promise<void> | void;
  /** Makes the mote visible. Called once size and digest are right. */
  commit?(info: MoteInfo): Promise<void> | void;
  /** Removes what was written. Called once, where the mote is not committed. */
  discard?(): Promise<void> | void;
}

/** A backend's writer: checks size and digest, and commits to the target only what is right. */
export class VerifyingWriter implements MoteWriter {
  readonly #mote: Mote;
  readonly #target: WriterTarget;
  readonly #verifier: ContentVerifier;
  #closing: Promise<MoteInfo> | undefined;
  #discarding: Promise<void> | undefined;

  /** Without a target, bytes are checked and dropped. */
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
    // What has been committed stays; what failed to commit has been discarded.
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
