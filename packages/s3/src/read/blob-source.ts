import { BoundedMap, type Cancellable, type Digest, MoteError, type MoteInfo, mediaTypes } from "@mote/core";
import type { Bucket } from "../bucket/bucket.js";
import type { BucketKeys } from "../bucket/keys.js";
import { headerTimeMs } from "../http/exchange.js";
import type { S3Response } from "../http/s3-client.js";

/** A range of a blob; `end` is not included. */
export interface BlobRange {
  readonly start: number;
  readonly end?: number | undefined;
}

/** A blob that is being read. */
export interface OpenedBlob {
  readonly info: MoteInfo;
  readonly etag: string | undefined;
  readonly modifiedMs: number | undefined;
  /** The bytes from `start` on; undefined if the range is empty. */
  readonly response: S3Response | undefined;
  /** The byte at which the response begins. */
  readonly start: number;
}

/** Blobs whose time is remembered after they were opened. */
const maxRecent = 1000;

/** Opens blobs of the bucket for reading. */
export class BlobSource {
  readonly bucket: Bucket;
  readonly #keys: BucketKeys;
  readonly #storedMs = new BoundedMap<Digest, number>(maxRecent);

  constructor(bucket: Bucket, keys: BucketKeys) {
    this.bucket = bucket;
    this.#keys = keys;
  }

  /** Returns what is known of a blob, from the head of its object. */
  async find(
    digest: Digest,
    options: Cancellable = {},
  ): Promise<(MoteInfo & { readonly modifiedMs: number | undefined }) | undefined> {
    const response = await this.bucket.head(this.#keys.blob(digest), `find ${digest}`, options);
    if (response === undefined) return undefined;
    const size = Number(response.header("content-length"));
    return { ...infoOf(digest, size, response), modifiedMs: headerTimeMs(response, "last-modified") };
  }

  /**
   * Requests a range of a blob. Resolves to undefined if the blob does not exist.
   * @param options.etag fails with MOTE_CORRUPT if the object has another one
   */
  async open(
    digest: Digest,
    { start, end }: BlobRange,
    options: Cancellable & { readonly etag?: string | undefined } = {},
  ): Promise<OpenedBlob | undefined> {
    const { signal, etag } = options;
    const what = `read ${digest}`;
    const isComplete = start === 0 && end === undefined;
    if (end !== undefined && end <= start) return await this.#empty(digest, start, options);
    const response = await this.bucket.client.send({
      ...{ method: "GET" as const, key: this.#keys.blob(digest), what, signal, accept: [404, 412, 416] },
      headers: {
        ...(isComplete ? {} : { range: `bytes=${start}-${end === undefined ? "" : end - 1}` }),
        ...(etag === undefined ? {} : { "if-match": etag }),
      },
    });
    if (response.status === 416) return await this.#empty(digest, start, options);
    if (response.status === 404) return undefined;
    if (response.status === 412)
      throw new MoteError("MOTE_CORRUPT", `the object of ${digest} was replaced while it was read; read it again`);
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.header("content-range") ?? "");
    const isPart = response.status === 206;
    // A service without ranges sends the complete object.
    if (isPart && Number(range?.[1]) !== start) {
      response.discard();
      throw new MoteError("MOTE_IO", `cannot read ${digest}: the service sent a different range than requested`);
    }
    const size = Number(isPart ? range?.[3] : response.header("content-length"));
    const modifiedMs = headerTimeMs(response, "last-modified");
    if (modifiedMs !== undefined) this.#storedMs.set(digest, modifiedMs);
    return {
      ...{ info: infoOf(digest, size, response), etag: response.header("etag"), modifiedMs },
      ...{ response, start: isPart ? start : 0 },
    };
  }

  /** Returns when a blob was stored, in Unix milliseconds. Needs no request if it was just read. */
  async storedMs(digest: Digest): Promise<number | undefined> {
    return this.#storedMs.get(digest) ?? (await this.find(digest))?.modifiedMs;
  }

  async #empty(digest: Digest, start: number, options: Cancellable): Promise<OpenedBlob | undefined> {
    const found = await this.find(digest, options);
    if (found === undefined) return undefined;
    const { modifiedMs, ...info } = found;
    return { info, etag: undefined, modifiedMs, response: undefined, start };
  }
}

export function notFound(digest: Digest, bucket: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${digest} is not in the bucket ${bucket}`, { details: { digest } });
}

function infoOf(digest: Digest, size: number, response: S3Response): MoteInfo {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new MoteError("MOTE_IO", `cannot read ${digest}: the service did not send its size`);
  return { digest, size, mediaType: response.header("content-type") || mediaTypes.octetStream };
}
