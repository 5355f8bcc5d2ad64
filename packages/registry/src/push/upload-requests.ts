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

/** The outcome of a request; no response if none was needed. */
export type Outcome = { readonly done: true; readonly response?: RegistryResponse } | Failed;

type Body = RepositoryRequest["body"];
type Headers = Readonly<Record<string, string>>;

export interface Failed {
  readonly done: false;
  /** Undefined if the connection failed. */
  readonly status?: number | undefined;
  readonly retryAfter?: string | undefined;
  /** The response's `Range`. */
  readonly range?: string | undefined;
  readonly error: MoteError;
}

/** The lower bound for `OCI-Chunk-Max-Length`. */
const leastLimitBytes = 32 * 1024;

/** Sends a blob's upload requests, in one session at a time. */
export class UploadRequests {
  readonly subject: Subject;
  /** The session's limits in bytes: `OCI-Chunk-Min-Length`, and `OCI-Chunk-Max-Length`, as sent by Cloudflare. */
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

  /** Begins a session, replacing any current one. */
  async begin(): Promise<void> {
    this.cancel();
    await this.#send({ method: "POST", path: "blobs/uploads/", body: noBytes }, (response) => {
      response.discard();
      this.#session = newSession(this.#api, response);
      this.minChunkBytes = Number(response.header("oci-chunk-min-length")) || 0;
      // Tiny chunks would make an upload endless.
      const most = Number(response.header("oci-chunk-max-length")) || Number.POSITIVE_INFINITY;
      this.maxChunkBytes = Math.max(most, leastLimitBytes);
    });
  }

  /** Sends a chunk at that offset. */
  append(chunk: Uint8Array, from: number): Promise<Outcome> {
    return this.#patch(chunk, { "content-range": `${from}-${from + chunk.byteLength - 1}` });
  }

  /** Closes the session, with or after the complete blob. */
  async close(body: Body, headers: Headers = {}): Promise<Outcome> {
    const path = closingUrl(this.#current(), this.#descriptor.digest);
    const outcome = await this.#try({ method: "PUT", path, headers: { ...octets, ...headers }, body });
    if (!outcome.done || outcome.response?.status !== 202 || (await this.#find()) !== false) return outcome;
    const error = protocolError(this.subject, "it accepted the end of an upload (202), but does not have the blob");
    return { done: false, status: 202, error };
  }

  /** Sends the blob as one chunk, then closes the session, like docker: every registry supports it. */
  async sendAndClose(body: Body, headers: Headers = {}): Promise<Outcome> {
    const outcome = await this.#patch(body, headers);
    return outcome.done ? this.close(noBytes) : outcome;
  }

  /** Returns how many bytes the session has, by a GET request; undefined if the registry does not tell. */
  async reportedBytes(): Promise<number | undefined> {
    const accepts = (status: number) => !isTransientStatus(status);
    return this.#send({ method: "GET", path: this.#current().url, accepts }, (response) => {
      response.discard();
      if (response.status > 299) return undefined;
      this.#moveOn(response);
      return reportedBytes(response.header("range"));
    });
  }

  /** Drops a session that the registry closed. */
  end(): void {
    this.#session = undefined;
  }

  async cancel(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) await cancelUpload(this.#api, session);
  }

  /** Returns whether the registry reports that the repository has the blob. */
  async isThere(): Promise<boolean> {
    return (await this.#find()) === true;
  }

  /** The same after an error; false if the host is down. */
  async isThereByNow(): Promise<boolean> {
    let isThere = false;
    await this.unlessAbsent(async () => {
      isThere = await this.isThere();
    });
    return isThere;
  }

  /** A registry that does not respond may be restarting: that counts as one more error. */
  async unlessAbsent(work: () => Promise<void>): Promise<Failed | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      if (!isHostDown(error)) throw error;
      return { done: false, error };
    }
  }

  /** Waits before another attempt. @throws the error, if another attempt would not help */
  async pause({ status, retryAfter, error }: Failed, attempt: number): Promise<void> {
    const { policy } = this.#api.client;
    // 416: the chunk's offset is not the registry's, which it will report.
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

  /** The error for bytes that another way of sending may deliver, even after a digest error. */
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

  /** Sends a request once; returns error responses and broken connections as outcomes. */
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

  /** A response may move the session to another URL. */
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
