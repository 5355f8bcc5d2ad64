import { type Descriptor, MoteError } from "@mote/core";
import type { RegistryAnswer } from "./client.js";
import { isAbsence, networkFailure, placeOf, protocolFault, type Subject } from "./fault.js";
import { inPieces } from "./pieces.js";
import type { RepositoryApi, RepositoryRequest } from "./repository-api.js";
import { delayAfterStatus, delayWithin, isTransientStatus } from "./retry.js";
import { chunksUntilAborted, sleep } from "./waiting.js";

export interface UploadOptions {
  /** A blob of up to so many bytes is sent in one request; a larger one in pieces of so many, of which one is kept in memory. */
  readonly pieceBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Uploads a blob (distribution-spec, "Pushing blobs"). After a fault it goes on from the byte that the registry has; what fails
 * for good leaves no upload open.
 * @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UPLOAD_LOST
 */
export async function uploadBlob(
  api: RepositoryApi,
  descriptor: Descriptor,
  chunks: AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<void> {
  const upload = new Upload(api, descriptor, options.signal);
  try {
    await upload.begin();
    const isStream = upload.minPieceBytes > largestPieceBytes && descriptor.size > options.pieceBytes;
    const pieceBytes = isStream ? options.pieceBytes : Math.max(options.pieceBytes, upload.minPieceBytes);
    const pieces = inPieces(chunksUntilAborted(chunks, options.signal), descriptor, pieceBytes);
    if (isStream) return await upload.sendStream(copies(pieces));
    for await (const piece of pieces) {
      if (piece.byteLength === descriptor.size) return await upload.sendWhole(piece);
      if (!(await upload.append(piece))) return await upload.sendStream(joined(piece.slice(), pieces));
    }
    await upload.finish();
  } catch (error) {
    upload.cancel();
    throw error;
  }
}

/** A registry that wants larger ones gets a stream: a piece is kept in memory. */
const largestPieceBytes = 64 * 1024 * 1024;

/** Where an upload goes on. */
export interface UploadSession {
  readonly url: URL;
  /** Another host than the registry has given it. */
  readonly isAway: boolean;
}

/** Returns where a response says that the upload goes on; undefined if it does not, or names the blob itself. */
export function uploadSession(api: RepositoryApi, answer: RegistryAnswer): UploadSession | undefined {
  const location = answer.header("location");
  if (location === undefined) return undefined;
  const url = api.follow(location, answer.url);
  if (/\/blobs\/[a-z0-9+._-]+(?::|%3a)[0-9a-f]{32,}$/i.test(url.pathname)) return undefined;
  return { url, isAway: answer.redirectedTo !== undefined };
}

/** Has the registry forget an upload. Nobody waits for it: it forgets by itself some day. */
export function cancelUpload(api: RepositoryApi, { url, isAway }: UploadSession): void {
  const request = { method: "DELETE", path: url, what: "an upload", actions: "pull,push", repeat: false } as const;
  api.send({ ...request, isAway, accepts: () => true }, (answer) => answer.discard()).catch(() => {});
}

/** One upload session at a time, and how far it has come. */
class Upload {
  /** `OCI-Chunk-Min-Length`. */
  minPieceBytes = 0;
  readonly #api: RepositoryApi;
  readonly #descriptor: Descriptor;
  readonly #subject: Subject;
  readonly #signal: AbortSignal | undefined;
  #session: UploadSession | undefined;
  /** Bytes that the registry has. */
  #offset = 0;

  constructor(api: RepositoryApi, descriptor: Descriptor, signal: AbortSignal | undefined) {
    this.#api = api;
    this.#descriptor = descriptor;
    this.#subject = api.subject(descriptor);
    this.#signal = signal;
  }

  async begin(): Promise<void> {
    this.cancel();
    this.#offset = 0;
    await this.#send({ method: "POST", path: "blobs/uploads/", body: nothing }, (answer) => {
      this.minPieceBytes = Number(answer.header("oci-chunk-min-length")) || 0;
      this.#moveOn(answer);
      answer.discard();
    });
  }

  /** All bytes in one request, which is repeated as a whole. */
  async sendWhole(bytes: Uint8Array): Promise<void> {
    let used = false;
    await this.#untilDone(async () => {
      if (used) await this.begin();
      used = true;
      return this.#try({ method: "PUT", path: this.#closingUrl(), headers: octets, body: bytes });
    });
  }

  /** All bytes in one request, as they come: it cannot be repeated. */
  async sendStream(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await this.begin();
    const watched = watch(chunks);
    const headers = { ...octets, "content-length": String(this.#descriptor.size) };
    try {
      const path = this.#closingUrl();
      await this.#send({ method: "PUT", path, headers, body: watched.chunks }, (answer) => answer.discard());
    } catch (error) {
      throw watched.failure() ?? error;
    }
    this.#session = undefined;
  }

  /**
   * One piece. After a fault the registry is asked how much of it it has, and gets the rest.
   * False where it is the first one, and the registry takes no pieces.
   */
  async append(piece: Uint8Array): Promise<boolean> {
    const start = this.#offset;
    const end = start + piece.byteLength;
    let failures = 0;
    for (let requests = 1; this.#offset < end; requests++) {
      const body = piece.subarray(this.#offset - start);
      const headers = { ...octets, "content-range": `${this.#offset}-${end - 1}` };
      const outcome = await this.#try({ method: "PATCH", path: this.#here(), headers, body });
      if (outcome.done) {
        const has = bytesReceived(outcome.answer) ?? end;
        // A registry may take less than it is sent, but not byte by byte.
        const goesOn = has > this.#offset && (has === end || requests < mostRequestsForPiece);
        if (!goesOn || has > end) throw this.#otherOffset(end, has);
        this.#offset = has;
        this.#moveOn(outcome.answer);
        continue;
      }
      if (start === 0 && takesNoPieces(outcome.status)) return false;
      if (outcome.status === 404) throw this.#lost(outcome.fault);
      for (let failed: Failed | undefined = outcome; failed !== undefined; ) {
        await this.#pause(failed, ++failures);
        failed = await this.#unlessAbsent(() => this.#recover(start, end));
      }
    }
    return true;
  }

  /** Closes an upload in pieces. */
  async finish(): Promise<void> {
    await this.#untilDone(async () => {
      const outcome = await this.#try({ method: "PUT", path: this.#closingUrl(), headers: octets, body: nothing });
      if (!outcome.done && outcome.status === 404 && !(await this.#isThere())) throw this.#lost(outcome.fault);
      return outcome;
    });
  }

  cancel(): void {
    if (this.#session !== undefined) cancelUpload(this.#api, this.#session);
    this.#session = undefined;
  }

  /** Closing may have succeeded although its answer was lost, so before it is repeated the registry is asked for the blob. */
  async #untilDone(close: () => Promise<Outcome>): Promise<void> {
    for (let failures = 0; ; ) {
      const outcome = await close();
      if (outcome.done) break;
      await this.#pause(outcome, ++failures);
      let isThere = false;
      await this.#unlessAbsent(async () => {
        isThere = await this.#isThere();
      });
      if (isThere) break;
    }
    this.#session = undefined;
  }

  /** A registry that nobody answers for may be starting anew: that is one more failure, and no end. */
  async #unlessAbsent(ask: () => Promise<void>): Promise<Failed | undefined> {
    try {
      await ask();
      return undefined;
    } catch (fault) {
      if (!isAbsence(fault)) throw fault;
      return { done: false, fault };
    }
  }

  async #isThere(): Promise<boolean> {
    const { digest } = this.#descriptor;
    const what = `blob ${digest}`;
    const accepts = (status: number) => status === 200 || status === 404;
    const head = { what, digest, actions: "pull,push", accepts, signal: this.#signal } as const;
    return (await this.#api.head(`blobs/${digest}`, head)).status === 200;
  }

  /** distribution-spec, "Pushing a blob in chunks": GET on the session tells how much is there. */
  async #recover(start: number, end: number): Promise<void> {
    const accepts = (status: number) => !isTransientStatus(status);
    const answer = await this.#send({ method: "GET", path: this.#here(), accepts }, (got) => {
      got.discard();
      return got;
    });
    const has = answer.status < 300 ? bytesReceived(answer) : undefined;
    if (has !== undefined && has > end) throw this.#otherOffset(end, has);
    if (has !== undefined && has >= start) {
      this.#offset = has;
      this.#moveOn(answer);
      return;
    }
    // The first piece is still here as a whole, those before are not. distribution forgets an upload of which it has another
    // length than its last answer said: after every piece that broke off.
    if (start === 0) return this.begin();
    throw this.#lost(this.#otherOffset(end, has));
  }

  #lost(cause: MoteError): MoteError {
    const { digest } = this.#descriptor;
    const message = `${placeOf(this.#subject)} has lost what was sent of ${digest} so far; it has to be sent again from the start`;
    return new MoteError("MOTE_UPLOAD_LOST", message, { cause, details: { ...this.#subject } });
  }

  /** Waits before another attempt. @throws what the attempt failed by, where another is no use */
  async #pause({ status, retryAfter, fault }: Failed, attempt: number): Promise<void> {
    const { policy } = this.#api.client;
    // 416: a piece at another offset than the registry has, which it will tell.
    const delayMs =
      status === undefined || status === 416
        ? delayWithin(policy, attempt)
        : delayAfterStatus(policy, status, retryAfter, attempt);
    if (delayMs === undefined) throw fault;
    const { registry, repository, digest } = this.#subject;
    const reason = status === undefined ? networkFailure(fault.cause) : String(status);
    const { retries } = policy;
    const host = this.#api.url("").host;
    this.#api.client.report({ type: "retry", registry, repository, digest, host, attempt, retries, delayMs, reason });
    await sleep(delayMs, this.#signal);
  }

  /** One attempt, of which a refusal or a broken connection is an outcome and no error. */
  async #try(request: UploadRequest): Promise<Outcome> {
    try {
      return await this.#send({ ...request, repeat: false, accepts: () => true }, async (answer): Promise<Outcome> => {
        const { status } = answer;
        if (status < 200 || status > 299) {
          const asked = { what: this.#what, writes: true };
          const fault = await this.#api.client.refusal(answer, this.#subject, asked);
          return { done: false, status, retryAfter: answer.header("retry-after"), fault };
        }
        answer.discard();
        return { done: true, answer };
      });
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      if (error.code !== "MOTE_UNREACHABLE" && error.code !== "MOTE_TIMEOUT") throw error;
      return { done: false, fault: error };
    }
  }

  #send<T>(request: UploadRequest, take: (answer: RegistryAnswer) => T | Promise<T>): Promise<T> {
    const { digest } = this.#descriptor;
    const upload = { what: this.#what, digest, actions: "pull,push", signal: this.#signal } as const;
    return this.#api.send({ ...upload, ...request, isAway: this.#session?.isAway }, take);
  }

  get #what(): string {
    return `an upload of ${this.#descriptor.digest}`;
  }

  #here(): URL {
    if (this.#session === undefined) throw protocolFault(this.#subject, "it began an upload without a Location");
    return this.#session.url;
  }

  #moveOn(answer: RegistryAnswer): void {
    this.#session = uploadSession(this.#api, answer) ?? this.#session;
  }

  /** The rest of the URL is the registry's own, and is left as it wrote it. */
  #closingUrl(): URL {
    const url = new URL(this.#here());
    url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(this.#descriptor.digest)}`;
    return url;
  }

  #otherOffset(end: number, has: number | undefined): MoteError {
    return protocolFault(
      this.#subject,
      `it was sent an upload up to byte ${end}, and says that it has ${has ?? "none"}`,
    );
  }
}

type UploadRequest = Pick<RepositoryRequest, "method" | "path" | "headers" | "body" | "repeat" | "accepts">;

type Outcome = { readonly done: true; readonly answer: RegistryAnswer } | Failed;

interface Failed {
  readonly done: false;
  /** None where the connection failed. */
  readonly status?: number | undefined;
  readonly retryAfter?: string | undefined;
  readonly fault: MoteError;
}

/** In which one piece is taken. */
const mostRequestsForPiece = 64;
const nothing = new Uint8Array();
const octets = { "content-type": "application/octet-stream" } as const;

/** `Range: 0-N`, where N is the last byte there is; `0-0` also where there is none, as distribution writes it. */
function bytesReceived(answer: RegistryAnswer): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(answer.header("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return Number(last) === 0 ? 0 : Number(last) + 1;
}

/** Refusals of a first piece by registries that take blobs as a whole only. */
function takesNoPieces(status: number | undefined): boolean {
  return status === 400 || status === 404 || status === 405 || status === 411 || status === 415 || status === 501;
}

async function* joined(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* copies(rest);
}

/** Who sends pieces may still hold one when the next is asked for. */
async function* copies(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) yield piece.slice();
}

/** Passes chunks on, and keeps what their source failed by: the connection makes an error of its own of it. */
function watch(chunks: AsyncIterable<Uint8Array>): { chunks: AsyncIterable<Uint8Array>; failure: () => unknown } {
  let failure: unknown;
  const passOn = async function* () {
    try {
      yield* chunks;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  return { chunks: passOn(), failure: () => failure };
}
