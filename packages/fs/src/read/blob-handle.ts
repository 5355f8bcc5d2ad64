import { type Digest, type MoteInfo, mediaTypes } from "@mote/core";
import type { OpenBlob } from "../blobs/open-blob.js";

/** Bytes of a blob, from `start` up to `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A blob that was opened for one reader. Its descriptor keeps it readable even if its name is removed. */
export class BlobHandle implements ByteRange {
  readonly digest: Digest;
  readonly blob: OpenBlob;
  readonly start: number;
  /** At most the blob's size. */
  readonly end: number;
  /** The bytes of the range, if they were read on opening. The descriptor is closed then. */
  bytes: Uint8Array | undefined;
  /** Whether the reader has to verify the bytes that it returns. */
  verify: boolean;
  /** Whether it has not changed since it was verified, so that the reader need not hash it. */
  isVerified = false;

  constructor(digest: Digest, blob: OpenBlob, { start, end }: ByteRange, verify: boolean) {
    this.digest = digest;
    this.blob = blob;
    this.start = start;
    this.end = Math.min(end, blob.stats.size);
    this.verify = verify;
  }

  get info(): MoteInfo {
    return { digest: this.digest, size: this.blob.stats.size, mediaType: mediaTypes.octetStream };
  }

  get length(): number {
    return Math.max(0, this.end - this.start);
  }

  get isWhole(): boolean {
    return this.start === 0 && this.end === this.blob.stats.size;
  }
}
