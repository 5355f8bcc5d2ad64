import type { Cancellable } from "@mote/core";

/** Keys of an AWS account or of another S3 service. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** When the keys expire, in Unix milliseconds; absent if they do not. */
  readonly expiresMs?: number | undefined;
}

/** Returns credentials. Called again before they expire, and when the service has rejected them as expired. */
export type CredentialsProvider = (options?: Cancellable) => Promise<Credentials> | Credentials;
