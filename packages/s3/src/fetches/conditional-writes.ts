import { type Cancellable, hasCode } from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import { headerTimeMs } from "../http/exchange.js";
import type { S3Response } from "../http/s3-client.js";

/** A small object as it was read or written. */
export interface SmallObject {
  readonly etag: string;
  readonly bytes: Uint8Array;
  /** How long ago it was written, in milliseconds by the server's clock, to the second; undefined if the server does not say. */
  readonly ageMs: number | undefined;
}

/** More than mote writes. */
const maxBytes = 16 * 1024;

/**
 * Replaces small objects only if they are as they were read. If the service has no conditional writes, it compares them itself, and reads what
 * is there after it has written: of several writers at once the last one wins, and one that has read before that does not know.
 */
export class ConditionalWrites {
  readonly #from: CacheBucket;
  /** How the service compares `If-Match` with the ETag. Ceph 16 needs it without its quotes, which HTTP (RFC 9110, section 8.8.3) requires. */
  #matches: "quoted" | "bare" | "never" = "quoted";
  #hasWarned = false;

  constructor(from: CacheBucket) {
    this.#from = from;
  }

  /** Reads an object. One that is larger than mote writes is returned without its bytes. */
  async read(key: string, what: string, { signal }: Cancellable = {}): Promise<SmallObject | undefined> {
    const { client } = this.#from.bucket;
    return await client.openAndRead(
      () => client.send({ method: "GET", key, what, signal, accept: [404] }),
      async (response) => (response.status === 404 ? undefined : await smallObject(response)),
      { what, signal },
    );
  }

  /** Writes an object if it still is `before`; undefined: absent. Resolves to what is there afterwards, which are `bytes` if it has. */
  async replace(
    key: string,
    before: SmallObject | undefined,
    bytes: Uint8Array,
    { what, signal }: Cancellable & { readonly what: string },
  ): Promise<SmallObject | undefined> {
    for (;;) {
      const condition = await this.#condition(before);
      signal?.throwIfAborted();
      if (condition === undefined) return await this.#replaceUnconditionally(key, before, bytes, { what, signal });
      const etag = await this.#from.bucket.writeIf(key, bytes, { what, condition, signal });
      if (etag) return { etag, bytes, ageMs: 0 };
      const now = await this.read(key, what, { signal });
      const isRefusedThoughUnchanged = etag === undefined && before !== undefined && now?.etag === before.etag;
      if (!isRefusedThoughUnchanged) return now;
      this.#matches = this.#matches === "quoted" ? "bare" : "never";
    }
  }

  async #replaceUnconditionally(
    key: string,
    before: SmallObject | undefined,
    bytes: Uint8Array,
    { what, signal }: Cancellable & { readonly what: string },
  ): Promise<SmallObject | undefined> {
    this.#warn();
    const now = await this.read(key, what, { signal });
    if (!hasSameBytes(now, before)) return now;
    await this.#from.bucket.writeIf(key, bytes, { what, condition: {}, signal });
    return await this.read(key, what, { signal });
  }

  /** Returns the header of the condition; undefined if the service has no such condition. */
  async #condition(before: SmallObject | undefined) {
    if (before === undefined) {
      if (await this.#from.format.establish()) return { "if-none-match": "*" as const };
    } else if (before.etag !== "" && this.#matches !== "never" && (await this.#from.format.comparesETags())) {
      return { "if-match": this.#matches === "quoted" ? before.etag : before.etag.replaceAll('"', "") };
    }
    return undefined;
  }

  #warn(): void {
    if (!this.#hasWarned)
      this.#from.logger.warn("the S3 service has no conditional writes, so several members may fetch the same blob");
    this.#hasWarned = true;
  }
}

function hasSameBytes(one: SmallObject | undefined, other: SmallObject | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one.bytes, other.bytes) === 0;
}

async function smallObject(response: S3Response): Promise<SmallObject> {
  const modifiedMs = headerTimeMs(response, "last-modified");
  const bytes = await response.bytes(maxBytes).catch((error: unknown) => {
    if (!hasCode(error, "MOTE_TOO_LARGE")) throw error;
    return new Uint8Array();
  });
  response.discard();
  const ageMs = modifiedMs === undefined ? undefined : response.dateMs - modifiedMs;
  return { etag: response.header("etag") ?? "", bytes, ageMs };
}
