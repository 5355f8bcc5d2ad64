import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type DigestAlgorithm,
  isDigestAlgorithm,
  isOnNetworkFileSystem,
  type Logger,
  MoteError,
  type MoteSource,
  silentLogger,
} from "@mote/core";
import { asynchronousCalls, synchronousCalls } from "./disk/file-calls.js";
import type { Durability } from "./disk/sync-group.js";
import type { SharedWith } from "./folder/cache-folder.js";
import type { KeepIngests } from "./prune/orphans.js";
import type { UploadLimits } from "./uploads/file-uploads.js";

export interface FileCacheOptions {
  /** For digests that the cache computes itself; it accepts every supported digest. Default sha256. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /** Whether a reader first makes its own hard link. Default: only on Windows and network file systems, which need it. */
  readonly linkOnRead?: boolean | undefined;
  /** Used by `find`, `moteExists` and both readers for missing content. It is never written to, and nothing is copied from it. */
  readonly fallback?: MoteSource | undefined;
  /** Verify blobs that are read completely. Default true. */
  readonly verifyOnRead?: boolean | undefined;
  /** What is synced, and when. Default `grouped`. */
  readonly durability?: Durability | undefined;
  /** Sync many small files by one syncfs(2), if available (Linux). Default: true, except on a network file system. */
  readonly syncTogether?: boolean | undefined;
  /** Make short calls (metadata, blobs up to 64 KiB) synchronously, which is much faster on a local disk. Default: true, except on a network file system. */
  readonly synchronous?: boolean | undefined;
  /** Allow a group to write to the cache. Default: only its owner. */
  readonly sharedWith?: SharedWith | undefined;
  /** How long unfinished resumable writes are kept, and how many bytes of them. */
  readonly keepParts?: KeepIngests | undefined;
  /** How long unfinished uploads are kept, how many, and their maximum size. */
  readonly keepUploads?: UploadLimits | undefined;
  /** When each MiB of a large blob is hashed separately, so that ranges can be verified: `verify` (default) or, with a second core, also `write`. */
  readonly chunkDigests?: "verify" | "write" | undefined;
  readonly logger?: Logger | undefined;
}

/** Checks the arguments of a `FileCache`, and fills in the defaults. @throws TypeError · MOTE_UNSUPPORTED_ALGORITHM */
export function fileCacheSettings(root: string, options: FileCacheOptions) {
  if (typeof root !== "string" || root === "") throw new TypeError("a FileCache needs the path of its folder");
  const { algorithm = "sha256", durability = "grouped", verifyOnRead = true, logger = silentLogger } = options;
  if (!isDigestAlgorithm(algorithm)) {
    const message = `unsupported algorithm "${String(algorithm)}"; use sha256, sha384 or sha512`;
    throw new MoteError("MOTE_UNSUPPORTED_ALGORITHM", message);
  }
  if (!["visible", "grouped", "synced"].includes(durability)) {
    throw new TypeError(`durability must be "visible", "grouped" or "synced", not "${String(durability)}"`);
  }
  const isLocal = !isOnNetworkFileSystem(resolve(root), { statfsSync, dirname });
  return {
    ...{ algorithm, durability, verifyOnRead, logger, fallback: options.fallback, keepIngests: options.keepParts },
    sharedWith: options.sharedWith,
    keepUploads: options.keepUploads,
    calls: (options.synchronous ?? isLocal) ? synchronousCalls : asynchronousCalls,
    syncTogether: options.syncTogether ?? isLocal,
    isLocal,
    linkOnRead: options.linkOnRead ?? (process.platform === "win32" || !isLocal),
    chunksOnWrite: options.chunkDigests === "write",
  };
}
