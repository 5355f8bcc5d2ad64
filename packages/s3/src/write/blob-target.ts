import { type Mote, MoteError, type MoteInfo, type WriterTarget } from "@mote/core";
import type { MultipartUpload } from "../bucket/multipart-upload.js";
import type { BlobPuts } from "./blob-puts.js";
import { GrowingBuffer } from "./growing-buffer.js";
import { hashInTurns } from "./hash-in-turns.js";
import type { PartSlots } from "./part-slots.js";

/** Up to this size, if it is known, a blob is sent in one request. It is also the maximum of a part. */
const maxBytes = 16 * 1024 * 1024;
/** Parts have this size unless there would be too many. All but the last have the same size, as some services require. */
const minPartBytes = 8 * 1024 * 1024;
/** S3's maximum. */
export const maxParts = 10_000;

/**
 * Sends the bytes of one writer: in one request at the end, or in parts as they arrive if there are too many for the memory. Parts have no name
 * before the upload is completed, which `VerifyingWriter` asks for when size and digest match.
 */
export class BlobTarget implements WriterTarget {
  readonly #puts: BlobPuts;
  readonly #slots: PartSlots;
  readonly #mote: Mote;
  readonly #partBytes: number;
  readonly #buffer: GrowingBuffer;
  readonly #aborting = new AbortController();
  readonly #signal: AbortSignal;
  readonly #parts: Promise<void>[] = [];
  #upload: MultipartUpload | undefined;
  #failure: { readonly error: unknown } | undefined;
  #started = 0;

  constructor(puts: BlobPuts, slots: PartSlots, mote: Mote, signal?: AbortSignal | undefined) {
    const { size = 0 } = mote;
    this.#partBytes = Math.max(minPartBytes, Math.ceil(size / maxParts));
    if (this.#partBytes > maxBytes) throw tooLarge(size, maxParts * maxBytes);
    this.#puts = puts;
    this.#slots = slots;
    this.#mote = mote;
    this.#signal = AbortSignal.any([this.#aborting.signal, ...(signal === undefined ? [] : [signal])]);
    this.#buffer = new GrowingBuffer(size > 0 && size <= maxBytes ? size : this.#partBytes, size);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.byteLength > 0; ) {
      if (this.#buffer.isFull) await this.#sendPart();
      rest = rest.subarray(this.#buffer.append(rest));
    }
  }

  async commit({ size }: MoteInfo): Promise<void> {
    const signal = this.#signal;
    if (this.#started === 0) return await this.#puts.putBytes(this.#mote, this.#buffer.take(), signal);
    await this.#sendPart();
    await Promise.all(this.#parts);
    await this.#upload?.complete({ size, signal });
  }

  async discard(): Promise<void> {
    this.#aborting.abort(new MoteError("MOTE_CLOSED", `the writer of ${this.#mote.digest} was aborted`));
    this.#buffer.take();
    await Promise.allSettled(this.#parts);
    // Otherwise prune removes the parts later.
    await this.#upload?.abort().catch(() => {});
  }

  async #sendPart(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const signal = this.#signal;
    const number = ++this.#started;
    if (number > maxParts) throw tooLarge(number * this.#partBytes, maxParts * this.#partBytes);
    this.#upload ??= await this.#puts.startUpload(this.#mote, { signal });
    const upload = this.#upload;
    const bytes = this.#buffer.take();
    const { ended } = await this.#slots.start(bytes.byteLength, async () => {
      const sha256 = await hashInTurns(bytes);
      await upload.sendPart(number, { bytes }, { sha256, signal });
      this.#buffer.giveBack(bytes);
    });
    ended.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    this.#parts.push(ended);
  }
}

function tooLarge(size: number, limit: number): MoteError {
  return new MoteError(
    "MOTE_TOO_LARGE",
    `a stream of ${size} bytes is too large for the bucket; the limit is ${limit}; store it from a file`,
  );
}
