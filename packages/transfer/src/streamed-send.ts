import { MoteError } from "@mote/core";
import { Feed } from "./feed.js";

/** A destination that is fed while a blob is fetched. */
export class StreamedSend {
  readonly feed = new Feed();
  readonly #ending: Promise<void>;

  /** `onFailure` is called when the destination fails by itself: the fetch need not go on for it, unless it can be sent again. */
  constructor(send: (chunks: AsyncIterable<Uint8Array>) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#ending = send(this.feed).finally(() => this.feed.cancel());
    this.#ending.catch((error: unknown) => {
      if (!this.feed.hasFailed && !isResendable(error)) onFailure(error);
    });
  }

  /** True when the destination has taken all of it; false where it has lost it, and has to be sent it once more. */
  async delivered(): Promise<boolean> {
    try {
      await this.#ending;
      return true;
    } catch (error) {
      if (isResendable(error)) return false;
      throw error;
    }
  }

  /** Resolves when the destination has taken all of it, or has cleaned up. */
  async ended(): Promise<void> {
    await this.#ending.catch(() => {});
  }

  /** Tells the destination that the fetch failed; resolves when it has cleaned up. */
  async fail(error: unknown): Promise<void> {
    this.feed.fail(error);
    await this.ended();
  }
}

/** Whether the destination may have the blob after all if it is sent once more. */
export function isResendable(error: unknown): error is MoteError {
  if (!MoteError.isInstance(error)) return false;
  const details: { readonly mayResend?: unknown } = error.details ?? {};
  return error.code === "MOTE_UPLOAD_LOST" || (error.code === "MOTE_DIGEST_MISMATCH" && details.mayResend === true);
}
