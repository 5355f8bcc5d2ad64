import type { Digest, MoteError } from "@mote/core";
import { isTransientStatus } from "../http/retry.js";
import { protocolError } from "../reports/protocol-error.js";
import type { UploadQuirks } from "./upload-quirks.js";
import { offsetAfter, reportedBytes } from "./upload-range.js";
import { type Failed, noBytes, type UploadRequests } from "./upload-requests.js";

/** How often the registry may take a part of a piece only. */
const mostParts = 64;

/** An upload in pieces (distribution-spec, "Pushing a blob in chunks"), in the session that has begun. */
export class ChunkedUpload {
  readonly #requests: UploadRequests;
  readonly #habits: UploadQuirks;
  readonly #digest: Digest;
  /** Bytes that the registry has. */
  #offset = 0;

  constructor(requests: UploadRequests, habits: UploadQuirks, digest: Digest) {
    this.#requests = requests;
    this.#habits = habits;
    this.#digest = digest;
  }

  /**
   * Sends one piece. After an error the registry is asked how much of it it has, and gets the rest. Returns false if it is the first one and
   * the registry takes no pieces.
   */
  async append(piece: Uint8Array): Promise<boolean> {
    const start = this.#offset;
    const end = start + piece.byteLength;
    let parts = 0;
    let failures = 0;
    let gaps = 0;
    while (this.#offset < end) {
      const from = this.#offset;
      const to = Math.min(end, from + this.#habits.pieceBytes);
      const outcome = await this.#requests.append(piece.subarray(from - start, to - start), from);
      if (outcome.done) {
        this.#offset = offsetAfter(outcome.answer?.header("range"), from, to);
        if (this.#offset < to && ++parts === mostParts) throw this.#inOnePiece(this.#tooManyParts(to));
        gaps = 0;
        continue;
      }
      const { status } = outcome;
      // Nothing has been sent yet, so it cannot be the offset that does not fit.
      const isTooLarge = status === 413 || (status === 416 && from === 0);
      if (isTooLarge && this.#habits.shrinkPieces(to - from, this.#requests.leastPieceBytes)) {
        if (from === 0) await this.#begin();
        continue;
      }
      if (status === 416) gaps++;
      if (start === 0 && (takesNoPieces(status) || gaps > 2)) {
        this.#habits.takesPieces = false;
        return false;
      }
      if (status === 404) throw this.#requests.lost(outcome.fault);
      if (isRefusal(status)) throw this.#inOnePiece(outcome.fault);
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
        // Two clients may have sent the blob at once.
        if (await this.#requests.isThere()) break;
        if (outcome.status === 401 || outcome.status === 403) throw outcome.fault;
        if (outcome.status === 404) throw this.#requests.lost(outcome.fault);
        throw this.#inOnePiece(outcome.fault);
      }
      await this.#requests.pause(outcome, ++failures);
      // Closing may have succeeded although its response was lost.
      if (await this.#requests.isThereByNow()) break;
    }
    this.#requests.end();
  }

  async #begin(): Promise<void> {
    this.#offset = 0;
    await this.#requests.begin();
  }

  /** Finds out where the upload continues: from the error response, or by a GET request for the session. */
  async #recover(start: number, end: number, gaps: number, { status, range }: Failed): Promise<void> {
    // What the registry says of the offset leads to no piece that it takes.
    if (gaps > 1) return this.#beginOr(start, () => this.#inOnePiece(this.#otherOffset(end)));
    const said = status === 416 ? reportedBytes(range) : undefined;
    const isNews = said !== undefined && said !== this.#offset;
    const has = isNews && said >= start && said <= end ? said : await this.#requests.reportedBytes();
    if (has !== undefined && has >= start && has <= end) this.#offset = has;
    // The first piece is still here as a whole, those before are not. Distribution forgets an upload of which it has another length than
    // its last response said: after every piece that broke off.
    else await this.#beginOr(start, () => this.#requests.lost(this.#otherOffset(end, has)));
  }

  async #beginOr(start: number, error: () => MoteError): Promise<void> {
    if (start > 0) throw error();
    await this.#begin();
  }

  /** The pieces do not add up to the blob, or are refused. */
  #inOnePiece(cause: MoteError): MoteError {
    this.#habits.inOnePiece.add(this.#digest);
    return this.#requests.toResend(cause);
  }

  #tooManyParts(end: number): MoteError {
    return protocolError(
      this.#requests.subject,
      `it took ${mostParts} parts of one piece, and has not all up to ${end}`,
    );
  }

  #otherOffset(end: number, has?: number): MoteError {
    return protocolError(
      this.#requests.subject,
      `it was sent an upload up to byte ${end}, and says that it has ${has ?? "none"}`,
    );
  }
}

/** Refusals of a first piece by registries that take blobs as a whole only. */
function takesNoPieces(status: number | undefined): boolean {
  return status === 400 || status === 404 || status === 405 || status === 411 || status === 415 || status === 501;
}

/** Whether the registry refuses this piece, rather than the login or a request at this moment. */
function isRefusal(status: number | undefined): boolean {
  if (status === undefined || isTransientStatus(status)) return false;
  return status !== 401 && status !== 403 && status !== 413 && status !== 416;
}
