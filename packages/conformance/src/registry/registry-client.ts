import { type Digest, digestBytes, mediaTypes } from "@mote/core";
import type { TestApi } from "../test-api.js";

/** A response with its body, and the error codes of the body. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly codes: readonly string[];
}

export interface Sent {
  readonly body?: Uint8Array | ReadableStream<Uint8Array> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A manifest as pushed. */
export interface Pushed {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** The functions that a file of tests uses. */
export interface RegistryTests extends TestApi {
  /** Returns a new repository. */
  open(): Promise<RegistryClient>;
  /** Defines a test with a new repository. */
  test(name: string, body: (repository: RegistryClient) => Promise<void>): unknown;
}

/** Requests of one repository, as the distribution specification describes them. */
export class RegistryClient {
  readonly name: string;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, name: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.name = name;
    this.#headers = headers;
  }

  /** @param path below the repository, or absolute from `/` or as a URL */
  async send(method: string, path: string, { body, headers }: Sent = {}): Promise<Answer> {
    const target = new URL(/^(\/|https?:)/.test(path) ? path : `/v2/${this.name}/${path}`, this.#url);
    const init = { method, headers: { ...this.#headers, ...headers }, redirect: "manual" } as const;
    const response = await fetch(
      target,
      body === undefined ? init : ({ ...init, body, duplex: "half" } as unknown as RequestInit),
    );
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, bytes, codes: codesOf(bytes) };
  }

  /** Sends a request and returns the status of its response. */
  async status(method: string, path: string): Promise<number> {
    return (await this.send(method, path)).status;
  }

  /** Starts an upload. Returns its location. */
  async begin(query = ""): Promise<string> {
    return locationOf(await this.send("POST", `blobs/uploads/${query}`, { headers: { "content-length": "0" } }));
  }

  append(location: string, bytes: Uint8Array, start: number): Promise<Answer> {
    const headers = { ...octets, "content-range": `${start}-${start + bytes.byteLength - 1}` };
    return this.send("PATCH", location, { body: bytes, headers });
  }

  finish(location: string, digest: string, sent: Sent = {}): Promise<Answer> {
    const url = new URL(location, this.#url);
    url.searchParams.set("digest", digest);
    return this.send("PUT", url.href, sent);
  }

  /** Pushes a blob by POST and PUT. */
  async pushBlob(bytes: Uint8Array, digest: Digest = digestBytes(bytes)): Promise<Answer> {
    return this.finish(await this.begin(), digest, { body: bytes, headers: octets });
  }

  pushManifest({ bytes, mediaType }: Pick<Pushed, "bytes" | "mediaType">, reference: string): Promise<Answer> {
    return this.send("PUT", `manifests/${reference}`, { body: bytes, headers: { "content-type": mediaType } });
  }

  /** Pushes the config and the layers of an image, and the image by its digest and, if given, a tag. */
  async pushImage(fields: object = {}, { tag, layers = ["a layer"] }: ImageOptions = {}): Promise<Pushed> {
    const blobs = [text("{}"), ...layers.map(text)];
    for (const blob of blobs) await this.pushBlob(blob);
    const [config, ...others] = blobs.map((blob, at) =>
      descriptorOf(blob, at === 0 ? mediaTypes.ociConfig : mediaTypes.ociLayer),
    );
    const image = manifestOf({ mediaType: mediaTypes.ociManifest, config, layers: others, ...fields });
    await this.pushManifest(image, tag ?? image.digest);
    return image;
  }

  async json(path: string): Promise<Record<string, unknown>> {
    return JSON.parse(new TextDecoder().decode((await this.send("GET", path)).bytes));
  }
}

interface ImageOptions {
  readonly tag?: string | undefined;
  readonly layers?: readonly string[] | undefined;
}

export const octets = { "content-type": "application/octet-stream" };

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function descriptorOf(bytes: Uint8Array, mediaType: string) {
  return { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
}

/** Returns a manifest with these fields. */
export function manifestOf(fields: { readonly mediaType: string; readonly [field: string]: unknown }): Pushed {
  const bytes = text(JSON.stringify({ schemaVersion: 2, ...fields }));
  return { bytes, digest: digestBytes(bytes), mediaType: fields.mediaType };
}

/** Returns the descriptor of a pushed manifest. */
export function entryOf({ bytes, digest, mediaType }: Pushed) {
  return { mediaType, digest, size: bytes.byteLength };
}

export function locationOf({ headers }: Answer): string {
  return headers.get("location") ?? "";
}

function codesOf(bytes: Uint8Array): string[] {
  try {
    const { errors } = JSON.parse(new TextDecoder().decode(bytes)) as { errors?: { code: string }[] };
    return (errors ?? []).map(({ code }) => code);
  } catch {
    return [];
  }
}
