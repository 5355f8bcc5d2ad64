import { resolve } from "node:path";
import {
  type BlobInfoCache,
  type Logger,
  type MoteCache,
  MoteError,
  type MoteSource,
  type MoteStore,
} from "@mote/core";
import type { Endpoints } from "../endpoints/endpoints.js";
import type { References } from "../references/references.js";

/** A tier: a source of motes, which may also be written to. */
export type Tier = MoteSource & Partial<MoteStore>;

export interface TierOptions {
  readonly endpoints: Endpoints;
  readonly references: References;
  readonly logger: Logger;
}

/** Fewer than a cache needs, because a command continues without its tier. */
const tierRetries = { retries: 4 };

/**
 * Opens the tier at a URL: `s3://BUCKET[/PREFIX]`, `docker://HOST/REPOSITORY`, which is only read, or a folder. Nothing is sent before its
 * first use. Returns undefined for a registry that must not be contacted. @throws MOTE_CONFIG · MOTE_INVALID_REFERENCE
 */
export async function openTier(url: string, { endpoints, references, logger }: TierOptions): Promise<Tier | undefined> {
  const location = bucketAt(url);
  if (location !== undefined) {
    const { S3Cache } = await import("@mote/s3");
    return new S3Cache({ ...location, retries: tierRetries, logger });
  }
  if (url.startsWith("docker://")) {
    const ref = references.parse(url);
    if (ref.transport !== "docker") throw notATier(url);
    if (endpoints.offline) return undefined;
    const { RegistryCache } = await import("@mote/registry");
    return new RegistryCache((await endpoints.registries()).client, ref);
  }
  if (url === "" || /^[a-z][a-z0-9+.-]*:/i.test(url)) throw notATier(url);
  const { FileCache } = await import("@mote/fs");
  return new FileCache(resolve(url), { logger });
}

/**
 * Opens the cache in the bucket at `s3://BUCKET[/PREFIX]`. `readOnly`: without records of uses. @throws MOTE_CONFIG
 */
export async function openBucket(
  url: string,
  { readOnly = false, logger }: { readonly readOnly?: boolean | undefined; readonly logger: Logger },
): Promise<MoteCache> {
  const location = bucketAt(url);
  if (location === undefined) throw new MoteError("MOTE_CONFIG", `${url} is not a cache; use s3://BUCKET[/PREFIX]`);
  const { S3Cache } = await import("@mote/s3");
  return new S3Cache({ ...location, ...(readOnly ? { usePrecisionMs: Number.POSITIVE_INFINITY } : {}), logger });
}

/** Returns the bucket and the prefix of `s3://BUCKET[/PREFIX]`; undefined for any other text. */
export function bucketAt(url: string): { readonly bucket: string; readonly prefix: string | undefined } | undefined {
  const [, bucket, prefix = ""] = /^s3:\/\/([^/?#]+)(?:\/([^?#]*))?$/.exec(url) ?? [];
  return bucket === undefined ? undefined : { bucket, prefix: prefix.replace(/\/+$/, "") || undefined };
}

/** Opens the blob-info cache at a URL of Redis. It connects at its first use. @throws MOTE_CONFIG */
export async function openSharedBlobInfoCache(url: string, logger: Logger): Promise<BlobInfoCache> {
  const { RedisBlobInfoCache } = await import("@mote/bic-redis");
  return new RedisBlobInfoCache(url, { logger });
}

function notATier(url: string): MoteError {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? url;
  return new MoteError(
    "MOTE_CONFIG",
    `${scheme} is not a tier; use s3://BUCKET[/PREFIX], docker://HOST/REPOSITORY or a directory`,
  );
}
