import { hasCode, MoteError, parseJsonRecord } from "@mote/core";
import { type Bucket, jsonBytes } from "./bucket.js";
import type { BucketKeys } from "./keys.js";

const format = "mote-bucket";
const version = 1;
const formatBytes = jsonBytes({ format, version });

/** The format of the cache in a bucket: checked before the first use, written before the first change. */
export class BucketFormat {
  readonly #bucket: Bucket;
  readonly #keys: BucketKeys;
  #reading: Promise<boolean> | undefined;
  #writing: Promise<boolean> | undefined;
  #matching: Promise<boolean> | undefined;

  constructor(bucket: Bucket, keys: BucketKeys) {
    this.#bucket = bucket;
    this.#keys = keys;
  }

  /** Checks the format; an empty bucket is valid. @throws MOTE_UNSUPPORTED_FORMAT · MOTE_CONFIG if the bucket does not exist */
  async check(): Promise<void> {
    await this.#exists();
  }

  /**
   * Writes the format if it is missing. Resolves to whether the service refuses to overwrite an object with `If-None-Match: *`, which is found
   * out once.
   */
  establish(): Promise<boolean> {
    this.#writing ??= this.#establish().catch((error: unknown) => {
      this.#writing = undefined;
      throw error;
    });
    return this.#writing;
  }

  /** Resolves to whether the service refuses to overwrite an object that has another ETag than `If-Match`, which is found out once. */
  comparesETags(): Promise<boolean> {
    this.#matching ??= this.#comparesETags().catch((error: unknown) => {
      this.#matching = undefined;
      throw error;
    });
    return this.#matching;
  }

  async #comparesETags(): Promise<boolean> {
    await this.establish();
    const condition = { "if-match": '"00000000000000000000000000000000"' };
    try {
      const what = "open the cache for writing";
      return (await this.#bucket.writeIf(this.#keys.format, formatBytes, { what, condition })) === undefined;
    } catch (error) {
      // Some services reject a condition that they do not implement.
      if (!hasCode(error, "MOTE_IO", "MOTE_CONFIG")) throw error;
      return false;
    }
  }

  #exists(): Promise<boolean> {
    this.#reading ??= this.#read().catch((error: unknown) => {
      this.#reading = undefined;
      throw error;
    });
    return this.#reading;
  }

  async #read(): Promise<boolean> {
    const found = await this.#bucket.read(this.#keys.format, "open the cache");
    if (found === undefined) return false;
    const body = parseJsonRecord(found.bytes);
    if (body?.format === format && body.version === version) return true;
    const key = this.#keys.format;
    throw new MoteError(
      "MOTE_UNSUPPORTED_FORMAT",
      `cannot open the cache: ${key} has a format that this release does not support; use a newer release or another prefix`,
      { details: { key } },
    );
  }

  async #establish(): Promise<boolean> {
    const exists = await this.#exists();
    // The first write may create it; a second one over what is there shows whether the condition holds.
    if (!exists && !(await this.#writeIfAbsent())) return true;
    return !(await this.#writeIfAbsent());
  }

  /** Returns false if it was there and the service said so. */
  async #writeIfAbsent(): Promise<boolean> {
    const write = (ifAbsent: boolean) => {
      const headers = { "content-type": "application/json" };
      return this.#bucket.write(
        this.#keys.format,
        { bytes: formatBytes },
        { what: "open the cache for writing", headers, ifAbsent },
      );
    };
    try {
      return await write(true);
    } catch (error) {
      // Some services reject a condition that they do not implement.
      if (!hasCode(error, "MOTE_IO", "MOTE_CONFIG")) throw error;
      return await write(false);
    }
  }
}
