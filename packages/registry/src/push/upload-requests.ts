import { type CallOptions, type Descriptor, MoteError } from "@mote/core";
import { responseError } from "../error-response.js";
import { networkFailure } from "../http/network-errors.js";
import { delayAfterStatus, delayWithin, isTransientStatus } from "../http/retry.js";
import { sleep } from "../http/waiting.js";
import type { RegistryResponse } from "../registry-request.js";
import { isHostDown } from "../reports/network-error.js";
import { protocolError } from "../reports/protocol-error.js";
import { type Subject, subjectName } from "../reports/subject.js";
import type { RepositoryApi, RepositoryRequest } from "../repository-api.js";
import { findBlob } from "./presence.js";
import { reportedBytes } from "./upload-range.js";
import { cancelUpload, closingUrl, newSession, type UploadSession, uploadSession } from "./upload-session.js";

type UploadRequest = Pick<RepositoryRequest, "method" | "path" | "headers" | "body" | "repeat" | "accepts">;

/** What came of a request; no response if none was needed. */
export type Outcome = { readonly done: true; readonly response?: RegistryResponse } | Failed;

type Body = RepositoryRequest["body"];
type Headers = Readonly<Record<string, string>>;

export interface Failed {
  readonly done: false;
  /** None if the connection failed. */
  readonly status?: number | undefined;
  readonly retryAfter?: string | undefined;
  /** The response's `Range`. */
  readonly range?: string | undefined;
  readonly error: MoteError;
}

/** An `OCI-Chunk-Max-Length` below this counts as this. */
const leastLimitBytes = 32 * 1024;

/** The requests of a blob's upload, in one session at a time. */
export class UploadRequests {
  readonly subject: Subject;
  /** Of the session, in bytes: `OCI-Chunk-Min-Length`, and `OCI-Chunk-Max-Length`, which Cloudflare's registry sends. */
  minChunkBytes = 0;
  maxChunkBytes = Number.POSITIVE_INFINITY;
  readonly #api: RepositoryApi;
  readonly #descriptor: Descriptor;
  readonly #options: CallOptions;
  #session: UploadSession | undefined;

  constructor(api: RepositoryApi, descriptor: Descriptor, options: CallOptions) {
    this.#api = api;
    this.#descriptor = descriptor;
    this.#options = options;
    this.subject = api.subject(descriptor);
  }

  /** Begins a session, in place of the one that there may be. */
  async begin(): Promise<void> {
    this.cancel();
    await this.#send({ method: "POST", path: "blobs/uploads/", body: noBytes }, (response) => {
      response.discard();
      this.#session = newSession(this.#api, response);
      this.minChunkBytes = Number(response.header("oci-chunk-min-length")) || 0;
      // Chunks of a byte would keep the client for as long as the registry likes.
      const most = Number(response.header("oci-chunk-max-length")) || Number.POSITIVE_INFINITY;
      this.maxChunkBytes = Math.max(most, leastLimitBytes);
    });
  }

  /** Sends a chunk from that byte on. */
  append(chunk: Uint8Array, from: number): Promise<Outcome> {
    return this.#patch(chunk, { "content-range": `${from}-${from + chunk.byteLength - 1}` });
  }

  /** Closes the session, with the complete blob as the request's body or after it was sent. */
  async close(body: Body, headers: Headers = {}): Promise<Outcome> {
    const path = closingUrl(this.#current(), this.#descriptor.digest);
    const outcome = await this.#try({ method: "PUT", path, headers: { ...octets, ...headers }, body });
    if (!outcome.done || outcome.response?.status !== 202 || (await this.#find()) !== false) return outcome;
    const error = protocolError(this.subject, "it accepted the end of an upload (202), but does not have the blob");
    return { done: false, status: 202, error };
  }

  /** Sends the blob as one chunk, then closes the session: docker's way, which every registry takes. */
  async sendAndClose(body: Body, headers: Headers = {}): Promise<Outcome> {
    const outcome = await this.#patch(body, headers);
    return outcome.done ? this.close(noBytes) : outcome;
  }

  /** Returns how many bytes the session has, as a GET request for it tells; undefined if it does not. */
  async reportedBytes(): Promise<number | undefined> {
    const accepts = (status: number) => !isTransientStatus(status);
    return this.#send({ method: "GET", path: this.#current().url, accepts }, (response) => {
      response.discard();
      if (response.status > 299) return undefined;
      this.#moveOn(response);
      return reportedBytes(response.header("range"));
    });
  }

  /** Forgets the session, which the registry has closed. */
  end(): void {
    this.#session = undefined;
  }

  async cancel(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) await cancelUpload(this.#api, session);
  }

  /** Whether the repository has the blob, as far as the registry says. */
  async isThere(): Promise<boolean> {
    return (await this.#find()) === true;
  }

  /** The same after an error; false also if the host is down. */
  async isThereByNow(): Promise<boolean> {
    let isThere = false;
    await this.unlessAbsent(async () => {
      isThere = await this.isThere();
    });
    return isThere;
  }

  /** A registry that does not response may be restarting: that is one more failure, not the end. */
  async unlessAbsent(work: () => Promise<void>): Promise<Failed | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      if (!isHostDown(error)) throw error;
      return { done: false, error };
    }
  }

  /** Waits before another attempt. @throws the failure, if another attempt would not help */
  async pause({ status, retryAfter, error }: Failed, attempt: number): Promise<void> {
    const { policy } = this.#api.client;
    // 416: a chunk at another offset than the registry has, which it will tell.
    const delayMs =
      status === undefined || status === 416
        ? delayWithin(policy, attempt)
        : delayAfterStatus(policy, status, retryAfter, attempt);
    if (delayMs === undefined) throw error;
    const { registry, repository, digest } = this.subject;
    const reason = status === undefined ? networkFailure(error.cause) : String(status);
    const { retries } = policy;
    const host = this.#api.url("").host;
    this.#api.client.report(
      { type: "retry", registry, repository, digest, host, attempt, retries, delayMs, reason },
      this.#options,
    );
    await sleep(delayMs, this.#options.signal);
  }

  lost(cause: MoteError): MoteError {
    const { digest } = this.#descriptor;
    const message = `${subjectName(this.subject)} lost the upload of ${digest}; it has to be sent again from the start`;
    return new MoteError("MOTE_UPLOAD_LOST", message, { cause, details: { ...this.subject, ...cause.details } });
  }

  /** The error for bytes that may arrive if they are sent again in another way. The digest may be wrong because they are. */
  toResend(cause: MoteError): MoteError {
    if (cause.code !== "MOTE_DIGEST_MISMATCH") return this.lost(cause);
    return new MoteError(cause.code, cause.message, { cause, details: { ...cause.details, mayResend: true } });
  }

  async #patch(body: Body, headers: Headers): Promise<Outcome> {
    const path = this.#current().url;
    const outcome = await this.#try({ method: "PATCH", path, headers: { ...octets, ...headers }, body });
    if (outcome.done && outcome.response !== undefined) this.#moveOn(outcome.response);
    return outcome;
  }

  /** Sends a request once: an error response or a broken connection is an outcome, not an error. */
  async #try(request: UploadRequest): Promise<Outcome> {
    try {
      return await this.#send(
        { ...request, repeat: false, accepts: () => true },
        async (response): Promise<Outcome> => {
          const { status } = response;
          if (status < 200 || status > 299) {
            const asked = { what: this.#what, writes: true };
            const error = await responseError(response, this.subject, asked);
            const [retryAfter, range] = [response.header("retry-after"), response.header("range")];
            return { done: false, status, retryAfter, range, error };
          }
          response.discard();
          return { done: true, response };
        },
      );
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      if (error.code !== "MOTE_UNREACHABLE" && error.code !== "MOTE_TIMEOUT") throw error;
      return { done: false, error };
    }
  }

  #send<T>(request: UploadRequest, take: (response: RegistryResponse) => T | Promise<T>): Promise<T> {
    const { digest } = this.#descriptor;
    const upload = { what: this.#what, digest, actions: "pull,push", ...this.#options } as const;
    return this.#api.send({ ...upload, ...request, crossOrigin: this.#session?.crossOrigin }, take);
  }

  #find(): Promise<boolean | undefined> {
    return findBlob(this.#api, this.#descriptor, { actions: "pull,push", ...this.#options });
  }

  /** A response may say that the session continues at another URL. */
  #moveOn(response: RegistryResponse): void {
    this.#session = uploadSession(this.#api, response) ?? this.#session;
  }

  get #what(): string {
    return `an upload of ${this.#descriptor.digest}`;
  }

  #current(): UploadSession {
    if (this.#session === undefined) throw protocolError(this.subject, "it began an upload without a Location");
    return this.#session;
  }
}

export const noBytes = new Uint8Array();
const octets = { "content-type": "application/octet-stream" } as const;
