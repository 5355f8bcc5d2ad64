import {
  type BlobInfoCache,
  type Cancellable,
  type CandidateOptions,
  type Digest,
  digestBytes,
  type ReplacementCandidate,
} from "@mote/core";
import type { TestApi } from "../test-api.js";
import type { BlobInfoCacheSetup, BlobInfoCacheSuiteOptions } from "./options.js";

const digestOf = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
export const plain = digestOf("plain");
export const gzip = digestOf("gzip");
export const zstd = digestOf("zstd");
export const other = digestOf("other");
export const unrecorded = digestOf("unrecorded");
export const transport = "test transport";

/** The functions that a file of tests uses. */
export interface RuleTests {
  /** Defines a test with an empty cache, with or without `open` and `close`, and the warnings that it logs. */
  readonly test: (
    name: string,
    body: (cache: BlobInfoCache, warnings: string[]) => Promise<void>,
    setup?: Pick<BlobInfoCacheSetup, "now">,
  ) => void;
  readonly expect: TestApi["expect"];
  readonly options: BlobInfoCacheSuiteOptions;
}

/** Records a location in scope A. */
export function record(cache: BlobInfoCache, location: string, digest: Digest = gzip): Promise<void> {
  return cache.recordKnownLocation(transport, "A", digest, location);
}

/** Looks up a digest in scope A; by default only its own locations. */
export function candidatesIn(
  cache: BlobInfoCache,
  digest: Digest = gzip,
  options: Partial<CandidateOptions> = {},
): Promise<ReplacementCandidate[]> {
  return cache.candidateLocations(transport, "A", digest, { canSubstitute: false, ...options });
}

/** Returns the locations of `candidatesIn`. */
export async function locationsIn(...request: Parameters<typeof candidatesIn>): Promise<(string | undefined)[]> {
  return (await candidatesIn(...request)).map(({ location }) => location);
}

/** Returns a call of each method with this digest. */
export function callsOf(
  cache: BlobInfoCache,
  digest: Digest,
  options: Cancellable = {},
): readonly (() => Promise<unknown>)[] {
  return [
    () => cache.untransformedDigest(digest, options),
    () => cache.recordDigestUntransformedPair(digest, plain, options),
    () => cache.recordDigestTransformerName(digest, "gzip", options),
    () => cache.recordKnownLocation(transport, "A", digest, "here", options),
    () => candidatesIn(cache, digest, options),
  ];
}
