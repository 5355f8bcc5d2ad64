import type { Digest, MoteError } from "@mote/core";
import { isTransientStatus } from "../http/retry.js";
import { protocolError } from "../reports/protocol-error.js";
import type { UploadQuirks } from "./upload-quirks.js";
import { offsetAfter, reportedBytes } from "./upload-range.js";
import { type Failed, noBytes, type UploadRequests } from "./upload-requests.js";

/** How often the registry may accept only part of a chunk. */
const mostParts = 64;

/** An upload in chunks (distribution-spec, "Pushing a blob in chunks"), in an open session. */
export class ChunkedUpload {
  readonly #requests: UploadRequests;
  readonly #quirks: UploadQuirks;
  readonly #digest: Digest;
  /** Bytes received by the registry. */
  #offset = 0;

  constructor(requests: UploadRequests, quirks: UploadQuirks, digest: Digest) {
    this.#requests = requests;
    this.#quirks = quirks;
    this.#digest = digest;
  }

  /** Sends one chunk; after an error, the rest of it. Returns false if it is the first and the registry rejects chunks. */
  async append(chunk: Uint8Array): Promise<boolean> {
    const start = this.#offset;
    const end = start + chunk.byteLength;
    let parts = 0;
    let failures = 0;
    let gaps = 0;
    while (this.#offset < end) {
      const from = this.#offset;
      const to = Math.min(end, from + this.#quirks.chunkBytes);
      const outcome = await this.#requests.append(chunk.subarray(from - start, to - start), from);
      if (outcome.done) {
        this.#offset = offsetAfter(outcome.response?.header("range"), from, to);
        if (this.#offset < to && ++parts === mostParts) throw this.#inOneRequest(this.#tooManyParts(to));
        gaps = 0;
        continue;
      }
      const { status } = outcome;
      // Nothing has been sent yet, so the offset cannot be wrong.
      const isTooLarge = status === 413 || (status === 416 && from === 0);
      if (isTooLarge && this.#quirks.shrinkChunks(to - from, this.#requests.minChunkBytes)) {
        if (from === 0) await this.#begin();
        continue;
      }
      if (status === 416) gaps++;
      if (start === 0 && (takesNoChunks(status) || gaps > 2)) {
        this.#quirks.takesChunks = false;
        return false;
      }
      if (status === 404) throw this.#requests.lost(outcome.error);
      if (isRefusal(status)) throw this.#inOneRequest(outcome.error);
      for (let failed: Failed | undefined = outcome; failed !== undefined; ) {
        await this.#requests.pause(failed, ++failures);
        failed = await this.#requests.unlessAbsent(() => this.#recover(start, end, gaps, outcome));
      }
    }
    return true;
  }

  async finish(): Promise<void> {
    for (let failures = 0; ; ) {
      const outcome = await this.#requests.close(noBytes);
      if (outcome.done) break;
      if (outcome.status !== undefined && !isTransientStatus(outcome.status)) {
        // Another client may have sent the blob concurrently.
        if (await this.#requests.isThere()) break;
        if (outcome.status === 401 || outcome.status === 403) throw outcome.error;
        if (outcome.status === 404) throw this.#requests.lost(outcome.error);
        throw this.#inOneRequest(outcome.error);
      }
      await this.#requests.pause(outcome, ++failures);
      // It may have succeeded although the response was lost.
      if (await this.#requests.isThereByNow()) break;
    }
    this.#requests.end();
  }

  async #begin(): Promise<void> {
    this.#offset = 0;
    await this.#requests.begin();
  }

  /** Finds where the upload continues: from the error response, or by a GET of the session. */
  async #recover(start: number, end: number, gaps: number, { status, range }: Failed): Promise<void> {
    // No chunk starts at the registry's offset.
    if (gaps > 1) return this.#beginOr(start, () => this.#inOneRequest(this.#otherOffset(end)));
    const said = status === 416 ? reportedBytes(range) : undefined;
    const isNews = said !== undefined && said !== this.#offset;
    const has = isNews && said >= start && said <= end ? said : await this.#requests.reportedBytes();
    if (has !== undefined && has >= start && has <= end) this.#offset = has;
    // Only the current chunk can be sent again. Distribution drops an upload whose length differs from
    // its last response: after each interrupted chunk.
    else await this.#beginOr(start, () => this.#requests.lost(this.#otherOffset(end, has)));
  }

  async #beginOr(start: number, error: () => MoteError): Promise<void> {
    if (start > 0) throw error();
    await this.#begin();
  }

  /** The chunks do not add up, or are rejected. */
  #inOneRequest(cause: MoteError): MoteError {
    this.#quirks.inOneRequest.add(this.#digest);
    return this.#requests.toResend(cause);
  }

  #tooManyParts(end: number): MoteError {
    return protocolError(
      this.#requests.subject,
      `it took ${mostParts} parts of one chunk, and does not have all bytes up to ${end}`,
    );
  }

  #otherOffset(end: number, has?: number): MoteError {
    return protocolError(
      this.#requests.subject,
      `it was sent bytes up to ${end}, but says that it has ${has ?? "none"}`,
    );
  }
}

/** Returns whether the registry only accepts blobs in one request. */
function takesNoChunks(status: number | undefined): boolean {
  return status === 400 || status === 404 || status === 405 || status === 411 || status === 415 || status === 501;
}

/** Returns whether the chunk is rejected, rather than the login or the current request. */
function isRefusal(status: number | undefined): boolean {
  if (status === undefined || isTransientStatus(status)) return false;
  return status !== 401 && status !== 403 && status !== 413 && status !== 416;
}
