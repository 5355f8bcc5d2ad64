import { type Logger, silentLogger } from "@mote/core";
import type { ServerSideEncryption } from "./bucket/encryption.js";
import { credentialChain } from "./credentials/credential-chain.js";
import type { Credentials, CredentialsProvider } from "./credentials/credentials.js";
import { type Environment, readProfile } from "./credentials/profile-files.js";
import { RefreshedCredentials } from "./credentials/refreshed-credentials.js";
import { type AddressStyle, bucketAddress } from "./http/address.js";
import { defaultRetries, type RetryPolicy } from "./http/retry.js";
import type { S3ClientSettings } from "./http/s3-client.js";

export interface S3CacheOptions {
  readonly bucket: string;
  /** The beginning of all keys, such as `ci/cache`. Default: none. */
  readonly prefix?: string | undefined;
  /** The URL of the service. Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS itself. */
  readonly endpoint?: string | undefined;
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's region, or us-east-1. */
  readonly region?: string | undefined;
  /** Keys, or a function that returns them and is called again before they expire. Default: as the AWS tools find them. */
  readonly credentials?: Credentials | CredentialsProvider | undefined;
  /** Default: `host` on AWS, otherwise `path`. */
  readonly addressStyle?: AddressStyle | undefined;
  /** Default: what the bucket is configured to do. */
  readonly encryption?: ServerSideEncryption | undefined;
  /** Whether blobs that are read completely are verified. Default true. */
  readonly verifyOnRead?: boolean | undefined;
  /** A read counts as a use if the last one was this long ago, in milliseconds. Default: one day. Infinity records no uses. */
  readonly usePrecisionMs?: number | undefined;
  /** How old an unfinished upload is before `prune` removes it, in milliseconds. Default: one day. */
  readonly abandonedUploadMs?: number | undefined;
  readonly retries?: Partial<RetryPolicy> | undefined;
  /** How long a connection may be silent, in milliseconds. Default: 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  readonly logger?: Logger | undefined;
  /** Default: `process.env`. */
  readonly env?: Environment | undefined;
}

const dayMs = 24 * 3_600_000;

/** Checks the options of an `S3Cache`, and fills in the defaults. @throws TypeError · MOTE_CONFIG */
export function s3CacheSettings(options: S3CacheOptions) {
  if (typeof options?.bucket !== "string") throw new TypeError("an S3Cache needs the name of its bucket");
  const {
    env = process.env,
    verifyOnRead = true,
    usePrecisionMs = dayMs,
    abandonedUploadMs = dayMs,
    logger = silentLogger,
  } = options;
  for (const [name, value] of Object.entries({ usePrecisionMs, abandonedUploadMs }))
    if (!(value >= 0)) throw new TypeError(`${name} must be a number of at least 0, not ${value}`);
  const region =
    options.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || readProfile(env).get("region") || "us-east-1";
  const endpoint = options.endpoint || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || undefined;
  const { credentials = credentialChain(env, region) } = options;
  const client: S3ClientSettings = {
    address: bucketAddress(options.bucket, { endpoint, region, style: options.addressStyle }),
    region,
    credentials: new RefreshedCredentials(typeof credentials === "function" ? credentials : () => credentials),
    retries: { ...defaultRetries, ...options.retries },
    idleMs: options.idleTimeoutMs ?? 60_000,
    now: Date.now,
  };
  return { client, verifyOnRead, usePrecisionMs, abandonedUploadMs, logger, encryption: options.encryption };
}
