import { type Digest, digestAlgorithm, digestEncoded, isMediaType } from "@mote/core";
import type { Bucket } from "../bucket/bucket.js";
import type { BucketFormat } from "../bucket/bucket-format.js";
import type { BucketKeys } from "../bucket/keys.js";
import type { Payload } from "../http/exchange.js";
import { hashInTurns } from "./hash-in-turns.js";

export interface BlobToPut {
  readonly digest: Digest;
  readonly mediaType: string;
}

/** Writes verified blobs. The service compares the bytes with their SHA-256, which for most blobs is the digest. */
export class BlobPuts {
  readonly bucket: Bucket;
  readonly keys: BucketKeys;
  readonly #format: BucketFormat;

  constructor(from: { readonly bucket: Bucket; readonly keys: BucketKeys; readonly format: BucketFormat }) {
    this.bucket = from.bucket;
    this.keys = from.keys;
    this.#format = from.format;
  }

  /** Returns the headers that a blob is stored with. */
  headers(mediaType: string): Record<string, string> {
    const isHeader = isMediaType(mediaType) && /^[\x21-\x7e]+$/.test(mediaType);
    return { "content-type": isHeader ? mediaType : "application/octet-stream" };
  }

  /** Prepares the bucket for the first write. */
  async prepare(): Promise<void> {
    await this.#format.establish();
  }

  /** Writes a blob from memory in one request. */
  async putBytes(blob: BlobToPut, bytes: Uint8Array, signal?: AbortSignal | undefined): Promise<void> {
    const sha256 = sha256Of(blob.digest) ?? (await hashInTurns(bytes));
    await this.put(blob, { bytes }, { sha256, signal });
  }

  /** Writes a blob in one request. `sha256` in hex. */
  async put(
    { digest, mediaType }: BlobToPut,
    payload: Payload,
    options: { readonly sha256: string; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const ifAbsent = await this.#format.establish();
    const request = { ...options, what: `write ${digest}`, headers: this.headers(mediaType), ifAbsent };
    await this.bucket.write(this.keys.blob(digest), payload, request);
  }
}

/** Returns the SHA-256 of a blob in hex, if it is its digest. */
export function sha256Of(digest: Digest): string | undefined {
  return digestAlgorithm(digest) === "sha256" ? digestEncoded(digest) : undefined;
}
