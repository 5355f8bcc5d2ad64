import { type Digest, digestAlgorithm, digestEncoded, isDigest, MoteError } from "@mote/core";

/** The kinds of small objects that belong to a digest, with the ends of their keys: only a blob's key ends in its hex digest. */
const suffixes = { used: ".used", pins: ".pin", quarantine: ".damaged", fetches: ".json" } as const;
export type DigestKind = keyof typeof suffixes;

const maxPrefixBytes = 256;

/**
 * The keys of a cache in a bucket:
 *
 *     PREFIX/mote.json                          the format and its version
 *     PREFIX/blobs/ALGORITHM/HEX                a blob
 *     PREFIX/tags/=REGISTRY/=REPOSITORY:TAG!    a tag: its name and descriptor
 *     PREFIX/used/ALGORITHM/HEX.used            when the blob was last used
 *     PREFIX/pins/ALGORITHM/HEX.pin
 *     PREFIX/leases/ID.json                     the digests that a process leases
 *     PREFIX/prunes/ID.json                     a prune in progress
 *     PREFIX/quarantine/ALGORITHM/HEX.damaged
 *     PREFIX/fetches/ALGORITHM/HEX.json         which member of a fleet fetches a blob
 *     PREFIX/fetches/secret.json                the secret that the members share
 *     PREFIX/repositories/…                     which manifests belong to a repository
 */
export class BucketKeys {
  readonly prefix: string;

  /** @throws MOTE_CONFIG */
  constructor(prefix = "") {
    const parts = prefix.replace(/^\/+|\/+$/g, "").split("/");
    const isValid = parts.every(
      (part) => part !== "" && part !== "." && part !== ".." && !/[\p{Cc}\p{Cs}]/u.test(part),
    );
    const trimmed = parts.join("/");
    if (trimmed !== "" && (!isValid || Buffer.byteLength(trimmed) > maxPrefixBytes))
      throw new MoteError(
        "MOTE_CONFIG",
        `the prefix is not valid; use at most ${maxPrefixBytes} bytes, such as ci/cache`,
      );
    this.prefix = trimmed === "" ? "" : `${trimmed}/`;
  }

  get format(): string {
    return `${this.prefix}mote.json`;
  }

  get blobs(): string {
    return `${this.prefix}blobs/`;
  }

  get tags(): string {
    return `${this.prefix}tags/`;
  }

  get leases(): string {
    return `${this.prefix}leases/`;
  }

  get prunes(): string {
    return `${this.prefix}prunes/`;
  }

  get fetchSecret(): string {
    return `${this.folder("fetches")}secret.json`;
  }

  get repositories(): string {
    return `${this.prefix}repositories/`;
  }

  blob(digest: Digest): string {
    return `${this.blobs}${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
  }

  /** Returns the digest of a blob's key; undefined for any other object. */
  blobAt(key: string): Digest | undefined {
    return digestOf(key, this.blobs, "");
  }

  folder(kind: DigestKind): string {
    return `${this.prefix}${kind}/`;
  }

  of(kind: DigestKind, digest: Digest): string {
    return `${this.folder(kind)}${digestAlgorithm(digest)}/${digestEncoded(digest)}${suffixes[kind]}`;
  }

  digestAt(kind: DigestKind, key: string): Digest | undefined {
    return digestOf(key, this.folder(kind), suffixes[kind]);
  }
}

function digestOf(key: string, folder: string, suffix: string): Digest | undefined {
  if (!key.startsWith(folder) || !key.endsWith(suffix)) return undefined;
  const text = key.slice(folder.length, key.length - suffix.length).replace("/", ":");
  return isDigest(text) ? text : undefined;
}
