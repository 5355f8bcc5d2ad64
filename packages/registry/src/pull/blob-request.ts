import {
  type CallOptions,
  type Digest,
  type EventOptions,
  MoteError,
  type MoteErrorCode,
  type RangeAgreement,
} from "@mote/core";
import type { RegistryResponse } from "../registry-request.js";
import { type Subject, subjectName } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";

/** The bytes of a blob to read, and what is known of it. */
export interface BlobRequest extends CallOptions, EventOptions {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the complete blob, in bytes, where known. */
  readonly size?: number | undefined;
  readonly start: number;
  /** The first byte not to read. Default: read to the end. */
  readonly end?: number | undefined;
  /** Set for one of several ranges that are read in parallel: other bytes than `start` to `end` are MOTE_RANGE_REFUSED. */
  readonly ranges?: RangeAgreement | undefined;
  readonly verify: boolean;
  /** Whether a mismatch is MOTE_CORRUPT, as for a damaged stored copy. */
  readonly damage: boolean;
  /** The chunk's memory is reused when the next chunk is read. */
  readonly reuse?: boolean | undefined;
  /** Whether to decode a labelled body that has no length. Default: by the media type. */
  readonly isCoded?: boolean | undefined;
  /** Called with the decision if the response does not tell. */
  readonly onDoubt?: ((isCoded: boolean) => void) | undefined;
}

/** Requests a blob. The response has status 200, 206 or 416, and an unread body. */
export function requestBlob(
  api: RepositoryApi,
  { digest, reuse, signal, onEvent }: BlobRequest,
  headers: Readonly<Record<string, string>>,
): Promise<RegistryResponse> {
  const accepts = (status: number) => status === 200 || status === 206 || status === 416;
  const request = { method: "GET", path: `blobs/${digest}`, what: `blob ${digest}` } as const;
  return api.send({ ...request, headers, digest, accepts, bulk: true, reuse, signal, onEvent }, (response) => response);
}

export function blobError(
  subject: Subject,
  { digest, damage }: Pick<BlobRequest, "digest" | "damage">,
  code: MoteErrorCode,
  message: string,
  details: object = {},
): MoteError {
  return new MoteError(damage ? "MOTE_CORRUPT" : code, `${digest} from ${subjectName(subject)}: ${message}`, {
    details: { ...subject, ...details },
  });
}
