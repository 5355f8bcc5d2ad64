import { type BlobInfoCache, type Digest, digestBytes, MoteError, type ReplacementCandidate } from "@mote/core";
import type { TestApi } from "../test-api.js";
import type { BlobInfoCacheSetup, BlobInfoCacheSuiteOptions } from "./options.js";

const digestOf = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
export const plain = digestOf("plain");
export const gzip = digestOf("gzip");
export const zstd = digestOf("zstd");
export const other = digestOf("other");
export const unrecorded = digestOf("unrecorded");
export const transport = "test transport";

/** Calls `use` with a cache, with or without `open` and `close`. */
export type WithCache = (setup: BlobInfoCacheSetup, use: (cache: BlobInfoCache) => Promise<void>) => Promise<void>;

/** The functions that a file of tests uses. */
export interface RuleTests {
  readonly test: (name: string, body: (cache: BlobInfoCache, warnings: string[]) => Promise<void>) => void;
  readonly it: TestApi["it"];
  readonly expect: TestApi["expect"];
  readonly options: BlobInfoCacheSuiteOptions;
  readonly withCache: WithCache;
}

export function locationsOf(candidates: readonly ReplacementCandidate[]): (string | undefined)[] {
  return candidates.map(({ location }) => location);
}

export async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

export async function codeOf(call: () => Promise<unknown>): Promise<string | undefined> {
  const error = await thrownBy(call);
  return MoteError.isInstance(error) ? error.code : undefined;
}
