import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { S3Cache, type S3CacheOptions } from "../src/index.js";
import { FakeObjects } from "./fake-objects.js";

export interface FakeRequest {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

/** What happens to a request. Undefined: it is answered. */
export type Effect =
  | { readonly status: number; readonly code?: string; readonly headers?: Record<string, string> }
  /** Closes the connection without a response. */
  | "drop"
  /** Does what is asked, and closes the connection without a response. */
  | "lose"
  /** Never responds. */
  | "stall"
  /** Sends so many bytes of the body, and then closes the connection or stalls. */
  | { readonly cutAfter: number; readonly stall?: boolean }
  /** Sends the body with a byte changed. */
  | "lie"
  | undefined;

export interface FakeS3Options {
  /** Ahead of this machine's clock. */
  readonly aheadMs?: number;
  readonly quotaBytes?: number;
  readonly readOnly?: boolean;
  /** Whether `If-None-Match` and `If-Match` of a write are: `supported` (default), `ignored`, or answered with `501`. */
  readonly conditions?: "supported" | "ignored" | "rejected";
  /** How `If-Match` of a write is compared: without the quotes of the ETag, or not at all. Default: as `conditions` says. */
  readonly matches?: "bare" | "never" | "ignored";
  /** Whether unfinished uploads are listed only without a prefix, or with a complete key, as MinIO does. */
  readonly ignoresUploadPrefixes?: boolean;
  /** The region of the bucket. Default: us-east-1. */
  readonly region?: string;
}

const bucketName = "bucket";

/** A small S3 service in memory that does what a test asks for. It checks hashes, but not signatures. */
export class FakeS3 implements AsyncDisposable {
  readonly store = new FakeObjects();
  readonly requests: FakeRequest[] = [];
  readonly sessionTokens = new Set<string>();
  options: FakeS3Options = {};
  /** Called for each request. */
  effect: (request: FakeRequest) => Effect = () => undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  static async start(options: FakeS3Options = {}): Promise<FakeS3> {
    const fake = new FakeS3();
    fake.options = options;
    fake.#server.on("connection", (socket) => {
      fake.#sockets.add(socket);
      socket.once("close", () => fake.#sockets.delete(socket));
    });
    fake.#server.listen(0, "127.0.0.1");
    await once(fake.#server, "listening");
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cache(options: Partial<S3CacheOptions> = {}): S3Cache {
    return new S3Cache({
      ...{ bucket: bucketName, endpoint: this.endpoint, region: "us-east-1", env: {} },
      credentials: { accessKeyId: "key", secretAccessKey: "secret" },
      retries: { retries: 4, firstDelayMs: 1, longestDelayMs: 5 },
      ...options,
    });
  }

  /** Returns the requests for a key, as `METHOD key`. */
  sent(part = ""): string[] {
    return this.requests.filter(({ key }) => key.includes(part)).map(({ method, key }) => `${method} ${key}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  get #nowMs(): number {
    return Date.now() + (this.options.aheadMs ?? 0);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(incoming.url ?? "/", this.endpoint);
    const [, bucket = "", ...parts] = decodeURIComponent(url.pathname).split("/");
    const { method = "GET", headers } = incoming;
    const request = { method, key: parts.join("/"), query: url.searchParams, headers };
    this.requests.push(request);
    const effect = this.effect(request);
    if (effect === "drop") return incoming.socket.destroy();
    if (effect === "stall") return undefined;
    const body = await bodyOf(incoming);
    if (body === undefined) return undefined;
    response.setHeader("date", new Date(this.#nowMs).toUTCString());
    response.sendDate = false;
    if (typeof effect === "object" && "status" in effect) {
      for (const [name, value] of Object.entries(effect.headers ?? {})) response.setHeader(name, value);
      return refuse(response, request, effect.status, effect.code);
    }
    const failure = this.#failureOf(request, bucket, body);
    if (failure !== undefined) return refuse(response, request, ...failure);
    if (effect !== undefined && effect !== "lose") this.#impair(response, incoming.socket, effect);
    if (effect === "lose") response.end = () => incoming.socket.destroy() as never;
    return this.#handle(request, body, response);
  }

  /** Changes how the body of a response is sent. */
  #impair(
    response: ServerResponse,
    socket: Socket,
    effect: "lie" | { readonly cutAfter: number; readonly stall?: boolean },
  ) {
    const end = response.end.bind(response);
    response.end = ((bytes?: Uint8Array) => {
      if (bytes === undefined || response.statusCode >= 300) return end(bytes);
      if (effect === "lie")
        return end(Uint8Array.from(bytes, (byte, at) => (at === bytes.byteLength >> 1 ? byte ^ 1 : byte)));
      response.write(bytes.subarray(0, effect.cutAfter), () => {
        if (effect.stall !== true) socket.destroy();
      });
      return response;
    }) as typeof response.end;
  }

  #failureOf(
    { method, headers, key }: FakeRequest,
    bucket: string,
    body: Uint8Array,
  ): [status: number, code: string] | undefined {
    const { readOnly = false, quotaBytes = Number.POSITIVE_INFINITY, region = "us-east-1" } = this.options;
    const authorization = headers.authorization ?? "";
    if (!authorization.startsWith("AWS4-HMAC-SHA256 Credential=")) return [403, "AccessDenied"];
    const signedMs = Date.parse(
      String(headers["x-amz-date"]).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, "$1-$2-$3T$4:$5:"),
    );
    if (!(Math.abs(signedMs - this.#nowMs) <= 15 * 60_000)) return [403, "RequestTimeTooSkewed"];
    if (!authorization.includes("Credential=key/")) return [403, "InvalidAccessKeyId"];
    if (!authorization.includes(`/${region}/s3/`)) return [400, "AuthorizationHeaderMalformed"];
    const token = headers["x-amz-security-token"];
    if (token !== undefined && !this.sessionTokens.has(String(token))) return [400, "ExpiredToken"];
    if (bucket !== bucketName) return [404, "NoSuchBucket"];
    const sha256 = createHash("sha256").update(body).digest("hex");
    if (headers["x-amz-content-sha256"] !== sha256) return [400, "XAmzContentSHA256Mismatch"];
    const isWrite = method !== "GET" && method !== "HEAD";
    if (isWrite && readOnly) return [403, "AccessDenied"];
    if (method === "PUT" && key !== "" && this.store.bytes + body.byteLength > quotaBytes)
      return [403, "QuotaExceeded"];
    return undefined;
  }

  #handle(request: FakeRequest, body: Uint8Array, response: ServerResponse): unknown {
    const { method, key, query } = request;
    if (method === "GET" && query.has("uploads")) return this.#listUploads(request, response);
    if (method === "GET" && key === "") return this.#list(request, response);
    if (method === "POST" && query.has("delete")) return this.#deleteAll(body, response);
    if (query.has("uploads") || query.has("uploadId")) return this.#upload(request, body, response);
    if (method === "PUT") return this.#put(request, body, response);
    if (method === "DELETE") {
      this.store.objects.delete(key);
      return response.writeHead(204).end();
    }
    return this.#get(request, response);
  }

  #put(request: FakeRequest, body: Uint8Array, response: ServerResponse): unknown {
    const { key, headers } = request;
    const { conditions = "supported" } = this.options;
    const isConditional = (headers["if-none-match"] ?? headers["if-match"]) !== undefined;
    if (isConditional && conditions === "rejected") return refuse(response, request, 501, "NotImplemented");
    if (conditions === "supported" && !this.#isMatch(request))
      return refuse(response, request, 412, "PreconditionFailed");
    if (headers["if-none-match"] === "*" && conditions === "supported" && this.store.objects.has(key))
      return refuse(response, request, 412, "PreconditionFailed");
    const source = headers["x-amz-copy-source"];
    const copied = source && this.store.objects.get(decodeURIComponent(String(source)).replace(`/${bucketName}/`, ""));
    if (source !== undefined && !copied) return refuse(response, request, 404, "NoSuchKey");
    const { etag } = this.store.put(key, copied ? copied.bytes : body, {
      type: headers["content-type"],
      modifiedMs: this.#nowMs,
    });
    return response.writeHead(200, { etag }).end(copied ? "<CopyObjectResult/>" : "");
  }

  #isMatch({ key, headers }: FakeRequest): boolean {
    const { matches } = this.options;
    const expected = headers["if-match"];
    if (expected === undefined || matches === "ignored") return true;
    const { etag = "" } = this.store.objects.get(key) ?? {};
    return matches !== "never" && expected === (matches === "bare" ? etag.replaceAll('"', "") : etag);
  }

  #get(request: FakeRequest, response: ServerResponse): unknown {
    const { key, headers, method } = request;
    const object = this.store.objects.get(key);
    if (object === undefined) return refuse(response, request, 404, "NoSuchKey");
    const { bytes, etag, type, modifiedMs } = object;
    if (headers["if-match"] !== undefined && headers["if-match"] !== etag)
      return refuse(response, request, 412, "PreconditionFailed");
    const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    if (range !== null && start >= bytes.byteLength) return refuse(response, request, 416, "InvalidRange");
    const end = Math.min(bytes.byteLength, range?.[2] ? Number(range[2]) + 1 : bytes.byteLength);
    response.writeHead(range === null ? 200 : 206, {
      ...{
        etag,
        "content-type": type,
        "content-length": end - start,
        "last-modified": new Date(modifiedMs).toUTCString(),
      },
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes.byteLength}` }),
    });
    return method === "HEAD" ? response.end() : response.end(bytes.subarray(start, end));
  }

  #list({ query }: FakeRequest, response: ServerResponse): unknown {
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const keys = this.store.keys(query.get("prefix") ?? "", after);
    const page = keys.slice(0, Number(query.get("max-keys") ?? 1000));
    const contents = page.map((key) => {
      const { bytes, etag, modifiedMs } = this.store.objects.get(key) ?? { bytes: "", etag: "", modifiedMs: 0 };
      const time = new Date(modifiedMs).toISOString();
      return `<Contents><Key>${escapeText(key)}</Key><LastModified>${time}</LastModified><ETag>${escapeText(etag)}</ETag><Size>${bytes.length}</Size></Contents>`;
    });
    const isTruncated = page.length < keys.length;
    const next = isTruncated ? `<NextContinuationToken>${escapeText(page.at(-1) ?? "")}</NextContinuationToken>` : "";
    return response.end(
      Buffer.from(
        `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${contents.join("")}${next}</ListBucketResult>`,
      ),
    );
  }

  #deleteAll(body: Uint8Array, response: ServerResponse): unknown {
    for (const [, key = ""] of new TextDecoder().decode(body).matchAll(/<Key>(.*?)<\/Key>/g))
      this.store.objects.delete(key.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code))));
    return response.end(Buffer.from("<DeleteResult/>"));
  }

  #upload(request: FakeRequest, body: Uint8Array, response: ServerResponse): unknown {
    const { method, key, query, headers } = request;
    if (query.has("uploads")) {
      const id = this.store.startUpload(key, headers["content-type"] ?? "", this.#nowMs);
      return response.end(
        Buffer.from(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`),
      );
    }
    const id = query.get("uploadId") ?? "";
    const upload = this.store.uploads.get(id);
    if (upload === undefined) return refuse(response, request, 404, "NoSuchUpload");
    if (method === "DELETE") {
      this.store.uploads.delete(id);
      return response.writeHead(204).end();
    }
    if (method === "PUT") {
      upload.parts.set(Number(query.get("partNumber")), body);
      return response.writeHead(200, { etag: `"${query.get("partNumber")}"` }).end();
    }
    this.store.completeUpload(id, this.#nowMs);
    return response.end(Buffer.from("<CompleteMultipartUploadResult/>"));
  }

  #listUploads({ query }: FakeRequest, response: ServerResponse): unknown {
    const prefix = query.get("prefix") ?? "";
    const isListed = (key: string) =>
      this.options.ignoresUploadPrefixes && prefix !== "" ? key === prefix : key.startsWith(prefix);
    const uploads = [...this.store.uploads].filter(([, { key }]) => isListed(key));
    const elements = uploads.map(([id, { key, startedMs }]) => {
      return `<Upload><Key>${escapeText(key)}</Key><UploadId>${id}</UploadId><Initiated>${new Date(startedMs).toISOString()}</Initiated></Upload>`;
    });
    return response.end(Buffer.from(`<ListMultipartUploadsResult>${elements.join("")}</ListMultipartUploadsResult>`));
  }
}

function refuse(response: ServerResponse, { method }: FakeRequest, status: number, code: string | undefined) {
  const body =
    code === undefined || method === "HEAD" ? "" : `<Error><Code>${code}</Code><Message>a message</Message></Error>`;
  return response
    .writeHead(status, { "content-type": "application/xml", "x-amz-request-id": "1" })
    .end(Buffer.from(body));
}

/** Resolves to undefined if the client disconnected. */
async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function escapeText(text: string): string {
  return text.replace(/[<>&"]/g, (char) => `&#${char.codePointAt(0)};`);
}
