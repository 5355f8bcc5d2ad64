import { type Cancellable, type Digest, digestAlgorithm, digestEncoded, isMediaType, mediaTypes } from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import { MultipartUpload } from "../bucket/multipart-upload.js";
import type { Payload } from "../http/exchange.js";
import { hashInTurns } from "./hash-in-turns.js";

export interface BlobToPut {
  readonly digest: Digest;
  readonly mediaType: string;
}

/** Writes verified blobs. The service compares the bytes with their SHA-256, which for most blobs is the digest. */
export class BlobPuts {
  readonly #from: CacheBucket;

  constructor(from: CacheBucket) {
    this.#from = from;
  }

  /** Starts an upload in parts. */
  async startUpload({ digest, mediaType }: BlobToPut, { signal }: Cancellable): Promise<MultipartUpload> {
    await this.#from.format.establish();
    const options = { what: `write ${digest}`, headers: headersOf(mediaType), signal };
    return await MultipartUpload.start(this.#from.bucket, this.#from.keys.blob(digest), options);
  }

  /** Returns whether a blob is stored. */
  async isStored(digest: Digest, options: Cancellable): Promise<boolean> {
    return (await this.#from.bucket.head(this.#from.keys.blob(digest), `write ${digest}`, options)) !== undefined;
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
    const ifAbsent = await this.#from.format.establish();
    const request = { ...options, what: `write ${digest}`, headers: headersOf(mediaType), ifAbsent };
    await this.#from.bucket.write(this.#from.keys.blob(digest), payload, request);
  }
}

/** Returns the headers that a blob is stored with. */
function headersOf(mediaType: string): Record<string, string> {
  const isHeader = isMediaType(mediaType) && /^[\x21-\x7e]+$/.test(mediaType);
  return { "content-type": isHeader ? mediaType : mediaTypes.octetStream };
}

/** Returns the SHA-256 of a blob in hex, if it is its digest. */
export function sha256Of(digest: Digest): string | undefined {
  return digestAlgorithm(digest) === "sha256" ? digestEncoded(digest) : undefined;
}
