import { createHash, randomUUID } from "node:crypto";
import { type Cancellable, hasCode, MoteError } from "@mote/core";
import { Bucket } from "./bucket/bucket.js";
import { BucketFormat } from "./bucket/bucket-format.js";
import { BucketKeys } from "./bucket/keys.js";
import { S3Client } from "./http/s3-client.js";
import { type S3CacheOptions, s3CacheSettings } from "./s3-cache-options.js";

/** What a bucket and its service can do. */
export interface BucketFindings {
  /** How far the clock of this machine is ahead of the service's, in milliseconds, to about a second. */
  readonly aheadMs: number;
  /** What was written has been removed. */
  readonly writes:
    | {
        /** Whether the service itself rejects bytes with another SHA-256 than the signed one. */
        readonly rejectsWrongBytes: boolean;
        /** Whether the service rejects overwriting an object with `If-None-Match: *`. */
        readonly rejectsOverwriting: boolean;
      }
    /** Why the bucket cannot be written to. */
    | { readonly error: MoteError };
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

/**
 * Tries what a cache in the bucket depends on, with small objects below `PREFIX/doctor/`, which it removes.
 * @throws MOTE_UNSUPPORTED_FORMAT · MOTE_CONFIG · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_UNREACHABLE, if it cannot be read
 */
export async function examineBucket(options: S3CacheOptions, { signal }: Cancellable = {}): Promise<BucketFindings> {
  const settings = s3CacheSettings(options);
  const bucket = new Bucket(new S3Client(settings.client), settings.encryption);
  const keys = new BucketKeys(options.prefix);
  await new BucketFormat(bucket, keys).check();
  const key = `${keys.prefix}doctor/${randomUUID()}`;
  const sentMs = Date.now();
  const response = await bucket.client.send({ method: "GET", key, what: "read", signal, accept: [404] });
  response.discard();
  const aheadMs = (sentMs + Date.now()) / 2 - response.dateMs;
  try {
    return { aheadMs, writes: await examineWrites(bucket, key, signal) };
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return { aheadMs, writes: { error } };
  }
}

async function examineWrites(bucket: Bucket, key: string, signal: AbortSignal | undefined) {
  const what = "write";
  const write = (to: string, options: Partial<Parameters<Bucket["write"]>[2]>) =>
    bucket.write(to, { bytes: bytesOf("mote doctor") }, { ...options, what, signal });
  const wrongKey = `${key}.wrong`;
  await write(key, {});
  try {
    // Some services reject a condition that they do not implement.
    const isOverwritten = await write(key, { ifAbsent: true }).catch((error: unknown) => {
      if (!hasCode(error, "MOTE_IO", "MOTE_CONFIG")) throw error;
      return true;
    });
    const sha256 = createHash("sha256").update("other bytes").digest("hex");
    const rejectsWrongBytes = await write(wrongKey, { sha256 }).then(
      () => false,
      (error: unknown) => {
        if (hasCode(error, "MOTE_UNREACHABLE", "MOTE_TIMEOUT")) throw error;
        return true;
      },
    );
    return { rejectsWrongBytes, rejectsOverwriting: !isOverwritten };
  } finally {
    for (const each of [key, wrongKey]) await bucket.remove(each, "remove a test object", { signal });
  }
}
