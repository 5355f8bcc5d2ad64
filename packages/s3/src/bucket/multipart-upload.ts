import { type Cancellable, hasCode, MoteError } from "@mote/core";
import type { Payload } from "../http/exchange.js";
import { unexpectedResponse } from "../http/s3-error.js";
import { childElements, childText, escapeXml } from "../http/xml.js";
import type { Bucket } from "./bucket.js";

/** An upload in parts. Nothing has a name before `complete`. */
export class MultipartUpload {
  readonly #bucket: Bucket;
  readonly #key: string;
  readonly #id: string;
  readonly #what: string;
  readonly #etags = new Map<number, string>();

  private constructor(bucket: Bucket, key: string, id: string, what: string) {
    this.#bucket = bucket;
    this.#key = key;
    this.#id = id;
    this.#what = what;
  }

  /** Starts an upload. */
  static async start(
    bucket: Bucket,
    key: string,
    options: Cancellable & { readonly what: string; readonly headers: Readonly<Record<string, string>> },
  ): Promise<MultipartUpload> {
    const { what, signal } = options;
    const headers = { ...bucket.storing, ...options.headers };
    const request = { method: "POST" as const, key, query: { uploads: "" }, headers, what, signal };
    const [document] = await bucket.document(request, "InitiateMultipartUploadResult");
    const id = childText(document, "UploadId");
    if (!id) throw unexpectedResponse(what, "the upload has no identifier");
    return new MultipartUpload(bucket, key, id, what);
  }

  /** Sends a part. The service verifies its SHA-256, given in hex. @param number from 1 to 10,000 */
  async sendPart(number: number, payload: Payload, options: Cancellable & { readonly sha256: string }): Promise<void> {
    const { signal, sha256 } = options;
    const query = { partNumber: String(number), uploadId: this.#id };
    const response = await this.#bucket.client.send({
      ...{ method: "PUT" as const, key: this.#key, query, payload, sha256, what: this.#what, signal },
    });
    response.discard();
    this.#etags.set(number, response.header("etag") ?? "");
  }

  /** Makes the object visible. @param options.size of the object, in bytes */
  async complete({ size, signal }: Cancellable & { readonly size: number }): Promise<void> {
    const parts = [...this.#etags]
      .sort(([a], [b]) => a - b)
      .map(([number, etag]) => {
        return `<Part><ETag>${escapeXml(etag)}</ETag><PartNumber>${number}</PartNumber></Part>`;
      });
    const bytes = new TextEncoder().encode(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
    const query = { uploadId: this.#id };
    const request = { method: "POST" as const, key: this.#key, query, payload: { bytes }, what: this.#what, signal };
    for (let attempt = 1; ; attempt++) {
      const response = await this.#bucket.client.send({ ...request, accept: [404] });
      const text = response.status === 404 ? "" : await response.text().catch(() => "");
      // The status is sent before the work is done; an error may follow in the body.
      if (response.status < 300 && text.includes("CompleteMultipartUploadResult")) return;
      // The response of an earlier attempt may be lost.
      const head = await this.#bucket.head(this.#key, this.#what, { signal });
      if (head?.header("content-length") === String(size)) return;
      if (response.status === 404 || !(await this.#bucket.client.backOff(attempt, signal)))
        throw lost(this.#what, text);
    }
  }

  /** Removes the parts. */
  async abort(): Promise<void> {
    await abortUpload(this.#bucket, { key: this.#key, id: this.#id });
  }
}

/** An upload that was not completed. */
export interface UnfinishedUpload {
  readonly key: string;
  readonly id: string;
  readonly startedMs: number;
  /** The server's time when it was listed. */
  readonly listedMs: number;
}

/** Yields the unfinished uploads of keys with the prefix. */
export async function* listUploads(
  bucket: Bucket,
  prefix: string,
  options: Cancellable = {},
): AsyncGenerator<UnfinishedUpload, void, undefined> {
  let hasFound = false;
  for await (const upload of uploadsWithPrefix(bucket, prefix, options)) {
    hasFound = true;
    yield upload;
  }
  if (hasFound) return;
  try {
    // MinIO lists only all uploads, or those of one key.
    for await (const upload of uploadsWithPrefix(bucket, "", options)) if (upload.key.startsWith(prefix)) yield upload;
  } catch (error) {
    // A policy may allow listings with the prefix only, and a gateway may have none of all uploads.
    if (!hasCode(error, "MOTE_FORBIDDEN", "MOTE_IO", "MOTE_CONFIG")) throw error;
  }
}

async function* uploadsWithPrefix(
  bucket: Bucket,
  prefix: string,
  { signal }: Cancellable,
): AsyncGenerator<UnfinishedUpload, void, undefined> {
  const what = "list unfinished uploads";
  let [keyMarker, idMarker] = ["", ""];
  for (;;) {
    const query = {
      ...{ uploads: "", prefix, "max-uploads": "1000" },
      ...(keyMarker === "" ? {} : { "key-marker": keyMarker, "upload-id-marker": idMarker }),
    };
    const request = { method: "GET" as const, key: "", query, what, signal };
    const [document, listedMs] = await bucket.document(request, "ListMultipartUploadsResult");
    for (const upload of childElements(document, "Upload")) {
      const startedMs = Date.parse(childText(upload, "Initiated") ?? "");
      const [key, id] = [childText(upload, "Key") ?? "", childText(upload, "UploadId") ?? ""];
      if (key.startsWith(prefix) && id !== "" && !Number.isNaN(startedMs)) yield { key, id, startedMs, listedMs };
    }
    const next = [childText(document, "NextKeyMarker") ?? "", childText(document, "NextUploadIdMarker") ?? ""] as const;
    const isLast = childText(document, "IsTruncated") !== "true" || (next[0] === keyMarker && next[1] === idMarker);
    if (isLast || next[0] < keyMarker) return;
    [keyMarker, idMarker] = next;
  }
}

/** Removes the parts of an upload, if it exists. */
export async function abortUpload(bucket: Bucket, { key, id }: Pick<UnfinishedUpload, "key" | "id">): Promise<void> {
  const query = { uploadId: id };
  const what = "abort an upload";
  const response = await bucket.client.send({ method: "DELETE", key, query, what, accept: [404] });
  response.discard();
}

function lost(what: string, text: string): MoteError {
  const code = /<Code>(\w{1,60})<\/Code>/.exec(text)?.[1] ?? "no result";
  return new MoteError(
    "MOTE_UPLOAD_LOST",
    `cannot ${what}: the service did not complete the upload (${code}); try again`,
  );
}
