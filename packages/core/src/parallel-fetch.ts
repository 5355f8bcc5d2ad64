import { type ConnectionCount, MeasuredConnections } from "./connection-count.js";
import type { ContentSource } from "./content.js";
import type { Descriptor } from "./descriptor.js";
import { type Logger, silentLogger } from "./logger.js";

/** Smaller blobs are read in one stream: opening and measuring connections takes seconds. */
const parallelFromBytes = 1024 * 1024 * 1024;
const defaultConnectionsPerBlob = 6;
const mostConnectionsPerBlob = 16;

export interface ParallelFetch {
  /** The source to read ranges from. After an error, the rest is read in one stream, also from fallbacks. */
  readonly source: Pick<ContentSource, "blob">;
  readonly count: ConnectionCount;
  /** Called when the rest is read in one stream. */
  readonly onEnd: (error: unknown) => void;
}

/** Decides over how many connections a blob is read; undefined: in one stream. */
export type ParallelFetches = (
  source: Pick<ContentSource, "blob" | "servesRanges">,
  descriptor: Descriptor,
) => ParallelFetch | undefined;

export interface ParallelFetchesOptions {
  /** The maximum for one blob. Default 6, at most 16; 1: a single stream. */
  readonly connectionsPerBlob?: number | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * Reads large blobs over several connections while that is measured to be faster, from sources that serve ranges.
 * @throws TypeError if `connectionsPerBlob` is not valid
 */
export function parallelFetches({
  connectionsPerBlob = defaultConnectionsPerBlob,
  logger = silentLogger,
}: ParallelFetchesOptions = {}): ParallelFetches {
  if (!Number.isInteger(connectionsPerBlob) || connectionsPerBlob < 1 || connectionsPerBlob > mostConnectionsPerBlob)
    throw new TypeError(`connectionsPerBlob must be an integer from 1 to ${mostConnectionsPerBlob}`);
  return (source, { digest, size }) => {
    if (connectionsPerBlob === 1 || size < parallelFromBytes || !source.servesRanges) return undefined;
    return {
      source,
      count: new MeasuredConnections(connectionsPerBlob),
      onEnd: (cause) => logger.info(`reading the rest of ${digest} over one connection`, { digest, cause }),
    };
  };
}
