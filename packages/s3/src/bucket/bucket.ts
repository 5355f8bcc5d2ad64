import { createHash } from "node:crypto";
import { type Cancellable, MoteError } from "@mote/core";
import type { Payload } from "../http/exchange.js";
import type { S3Client, S3Response } from "../http/s3-client.js";
import { unexpectedResponse } from "../http/s3-error.js";
import { childElements, childText, escapeXml, parseXml, type XmlElement } from "../http/xml.js";
import { encryptionHeaders, type ServerSideEncryption } from "./encryption.js";

/** An object in a listing. Times in Unix milliseconds. */
export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string;
  /** The server's time when it was listed. */
  readonly listedMs: number;
}

export interface ListOptions extends Cancellable {
  /** Only keys after this one. */
  readonly after?: string | undefined;
  /** Objects in a page. Default and maximum: 1000. */
  readonly pageSize?: number | undefined;
}

/** An object that could not be removed. */
export interface FailedRemoval {
  readonly key: string;
  /** S3's code. */
  readonly code: string;
}

const batchSize = 1000;
const jsonHeaders = { "content-type": "application/json" };

/** The requests for objects of a bucket, except multipart uploads. */
export class Bucket {
  readonly client: S3Client;
  /** The headers of each request that stores an object. */
  readonly storing: Readonly<Record<string, string>>;

  constructor(client: S3Client, encryption?: ServerSideEncryption | undefined) {
    this.client = client;
    this.storing = encryptionHeaders(encryption);
  }

  /** Reads a small object. Resolves to undefined if it does not exist. */
  async read(
    key: string,
    what: string,
    { signal }: Cancellable = {},
  ): Promise<{ bytes: Uint8Array; response: S3Response } | undefined> {
    return await this.client.openAndRead(
      () => this.client.send({ method: "GET", key, what, signal, accept: [404] }),
      async (response) => (response.status === 404 ? undefined : { bytes: await response.bytes(), response }),
      { what, signal },
    );
  }

  /** Reads the head of an object. Resolves to undefined if it does not exist. */
  async head(key: string, what: string, { signal }: Cancellable = {}): Promise<S3Response | undefined> {
    const response = await this.client.send({ method: "HEAD", key, what, signal, accept: [404] });
    response.discard();
    return response.status === 404 ? undefined : response;
  }

  /**
   * Writes an object in one request. With `ifAbsent`, resolves to false if it exists already and the service supports the condition.
   * @param options.sha256 of the payload, in hex; computed if it is bytes
   */
  async write(
    key: string,
    payload: Payload,
    options: Cancellable & {
      readonly what: string;
      readonly sha256?: string | undefined;
      readonly headers?: Readonly<Record<string, string>> | undefined;
      readonly ifAbsent?: boolean | undefined;
    },
  ): Promise<boolean> {
    const { what, sha256, signal, ifAbsent = false } = options;
    const headers = { ...this.storing, ...options.headers, ...(ifAbsent ? { "if-none-match": "*" } : {}) };
    const accept = ifAbsent ? [412] : [];
    const response = await this.client.send({ method: "PUT", key, payload, sha256, headers, what, signal, accept });
    response.discard();
    return response.status !== 412;
  }

  /** Writes a small object as JSON. */
  async writeJson(key: string, value: object, options: Cancellable & { readonly what: string }): Promise<void> {
    await this.write(key, { bytes: jsonBytes(value) }, { ...options, headers: jsonHeaders });
  }

  /** Writes a small object on a condition. Resolves to its ETag; to undefined if the service says that the condition does not hold. */
  async writeIf(
    key: string,
    bytes: Uint8Array,
    options: Cancellable & {
      readonly what: string;
      readonly condition: { readonly "if-match": string } | { readonly "if-none-match": "*" } | Record<never, never>;
    },
  ): Promise<string | undefined> {
    const { what, condition, signal } = options;
    const headers = { ...this.storing, ...jsonHeaders, ...condition };
    const accept = [404, 412];
    const response = await this.client.send({ method: "PUT", key, payload: { bytes }, headers, what, signal, accept });
    response.discard();
    return accept.includes(response.status) ? undefined : (response.header("etag") ?? "");
  }

  /** Removes an object, if it exists. */
  async remove(key: string, what: string, { signal }: Cancellable = {}): Promise<void> {
    const response = await this.client.send({ method: "DELETE", key, what, signal, accept: [404] });
    response.discard();
  }

  /** Removes objects in batches. Returns those that could not be removed. */
  async removeAll(keys: readonly string[], what: string, { signal }: Cancellable = {}): Promise<FailedRemoval[]> {
    const failed: FailedRemoval[] = [];
    for (let at = 0; at < keys.length; at += batchSize)
      failed.push(...(await this.#removeBatch(keys.slice(at, at + batchSize), what, signal)));
    return failed;
  }

  /** Yields the objects whose keys begin with `prefix`, in the order of their keys. */
  async *list(prefix: string, what: string, options: ListOptions = {}): AsyncGenerator<ListedObject, void, undefined> {
    const { signal, after, pageSize = batchSize } = options;
    let token: string | undefined;
    let last = after ?? "";
    for (;;) {
      const query = {
        "list-type": "2",
        prefix,
        "max-keys": String(Math.min(pageSize, batchSize)),
        ...(token === undefined ? { "start-after": after } : { "continuation-token": token }),
      };
      const page = await this.#page(query, what, signal);
      for (const object of page.objects) {
        // Merging depends on the order, and a listing that repeats itself would not end.
        if (object.key <= last && last !== "") throw disorder(what);
        last = object.key;
        yield object;
      }
      if (page.next === undefined) return;
      if (page.next === token || page.objects.length === 0) throw disorder(what);
      token = page.next;
    }
  }

  async #page(query: Record<string, string | undefined>, what: string, signal: AbortSignal | undefined) {
    const request = { method: "GET" as const, key: "", query, what, signal };
    const [document, dateMs] = await this.document(request, "ListBucketResult");
    const objects = childElements(document, "Contents").map((element) => listedObject(element, dateMs));
    if (childText(document, "IsTruncated") !== "true") return { objects, next: undefined };
    const next = childText(document, "NextContinuationToken");
    // Prune would remove what tags that are not listed need.
    if (!next) throw unexpectedResponse(what, "a listing is not complete");
    return { objects, next };
  }

  /**
   * Sends a request whose response is an XML document, and returns it and the server's time.
   * @param name of its root element
   * @throws MOTE_IO
   */
  async document(request: Parameters<S3Client["send"]>[0], name: string): Promise<[XmlElement, number]> {
    const { what } = request;
    const { text, dateMs } = await this.client.openAndRead(
      () => this.client.send(request),
      async (response) => ({ text: await response.text(), dateMs: response.dateMs }),
      request,
    );
    let root: XmlElement;
    try {
      root = parseXml(text);
    } catch (cause) {
      throw unexpectedResponse(what, String(cause), cause);
    }
    if (root.name !== name) throw unexpectedResponse(what, `it is not a ${name}`);
    return [root, dateMs];
  }

  async #removeBatch(keys: readonly string[], what: string, signal: AbortSignal | undefined): Promise<FailedRemoval[]> {
    const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join("");
    const xml = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`;
    const bytes = new TextEncoder().encode(xml);
    const headers = {
      "content-type": "application/xml",
      "content-md5": createHash("md5").update(bytes).digest("base64"),
    };
    const request = { method: "POST" as const, key: "", query: { delete: "" }, payload: { bytes }, headers };
    const [document] = await this.document({ ...request, what, signal }, "DeleteResult");
    return childElements(document, "Error").map((error) => ({
      key: childText(error, "Key") ?? "",
      code: childText(error, "Code") ?? "unknown",
    }));
  }
}

function listedObject(element: XmlElement, listedMs: number): ListedObject {
  const size = Number(childText(element, "Size"));
  const modifiedMs = Date.parse(childText(element, "LastModified") ?? "");
  return {
    key: childText(element, "Key") ?? "",
    size: Number.isSafeInteger(size) && size >= 0 ? size : 0,
    modifiedMs: Number.isNaN(modifiedMs) ? listedMs : modifiedMs,
    etag: childText(element, "ETag") ?? "",
    listedMs,
  };
}

/** Returns the content of a small object. */
export function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

function disorder(what: string): MoteError {
  return new MoteError(
    "MOTE_IO",
    `cannot ${what}: the service lists objects out of order; use a service that lists them by key`,
  );
}
