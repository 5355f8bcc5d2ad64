import { detailOf, MoteError } from "@mote/core";
import { Feed } from "./feed.js";

/** Sends a blob to the destination while it is fetched. */
export class StreamedSend {
  readonly feed = new Feed();
  readonly #result: Promise<void>;

  /** @param onFailure called when the destination fails and sending again cannot succeed */
  constructor(send: (chunks: AsyncIterable<Uint8Array>) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#result = send(this.feed).finally(() => this.feed.cancel());
    this.#result.catch((error: unknown) => {
      if (!this.feed.hasFailed && !isResendable(error)) onFailure(error);
    });
  }

  /** Waits for the destination. Returns false if the blob must be sent again. */
  async delivered(): Promise<boolean> {
    try {
      await this.#result;
      return true;
    } catch (error) {
      if (isResendable(error)) return false;
      throw error;
    }
  }

  /** Waits until the destination has the blob or has cleaned up. */
  async ended(): Promise<void> {
    await this.#result.catch(() => {});
  }

  /** Aborts the destination and waits until it has cleaned up. */
  async fail(error: unknown): Promise<void> {
    this.feed.fail(error);
    await this.ended();
  }
}

/** Returns whether sending the blob again may succeed. */
export function isResendable(error: unknown): error is MoteError {
  if (!MoteError.isInstance(error)) return false;
  const isMismatch = error.code === "MOTE_DIGEST_MISMATCH";
  return error.code === "MOTE_UPLOAD_LOST" || (isMismatch && detailOf(error, "mayResend") === true);
}
