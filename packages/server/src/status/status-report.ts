import type { FillStatus, FleetStatus, RateLimit, UpstreamStatus } from "@mote/core";
import { type Figures, fetchedBytes } from "./figures.js";
import type { ImageSummary } from "./image-list.js";
import type { TrafficMinutes } from "./traffic-history.js";

/** The body of `/api/status`. Times are Unix milliseconds. */
export interface StatusReport {
  readonly version: string | null;
  /** The URL by which the client has reached the server. */
  readonly address: string;
  readonly startedMs: number;
  readonly uptimeSeconds: number;
  readonly hits: number;
  readonly misses: number;
  /** Bytes of manifests and blobs. `saved`: served, but not fetched from upstreams. */
  readonly bytes: { readonly served: number; readonly fetched: number; readonly saved: number };
  /** `bytes`: null until it is measured. `maxBytes`: null without a limit. */
  readonly cache: { readonly bytes: number | null; readonly maxBytes: number | null };
  readonly requestsInFlight: number;
  readonly upstreams: readonly ReportedUpstream[];
  readonly fills: readonly FillStatus[];
  /** The other mirrors with which this one fetches each blob once. Null if it is not one of a fleet. */
  readonly fleet: FleetStatus | null;
  /** Null until the cache is read. */
  readonly images: ImageSummary | null;
  /** For each minute up to this one, for a day at most. */
  readonly history: TrafficMinutes;
}

interface ReportedUpstream extends Pick<UpstreamStatus, "name" | "state"> {
  /** Responses by status. `error` stands for requests without a response. */
  readonly requests: Readonly<Record<string, number>>;
  readonly receivedBytes: number;
  readonly rateLimit: RateLimit | null;
  readonly lastSuccessMs: number | null;
  readonly lastError: NonNullable<UpstreamStatus["lastError"]> | null;
}

/** Characters of an error message of an upstream that are shown. */
const maxMessageLength = 300;

export interface ReportInput {
  readonly figures: Figures;
  readonly version: string | undefined;
  readonly address: string;
  readonly cacheBytes: number | undefined;
  readonly maxCacheBytes: number | undefined;
  readonly images: ImageSummary | undefined;
}

export function statusReport(input: ReportInput, nowMs: number): StatusReport {
  const { figures, version, address, cacheBytes, maxCacheBytes, images } = input;
  const { startedMs, hits, misses, servedBytes, requestsInFlight, upstreams, fills, fleet, history } = figures;
  const fetched = fetchedBytes(upstreams);
  return {
    version: version ?? null,
    address,
    startedMs,
    uptimeSeconds: Math.max(0, Math.round((nowMs - startedMs) / 1000)),
    hits,
    misses,
    bytes: { served: servedBytes, fetched, saved: Math.max(0, servedBytes - fetched) },
    cache: { bytes: cacheBytes ?? null, maxBytes: maxCacheBytes ?? null },
    requestsInFlight,
    upstreams: upstreams.map(({ name, state, traffic, lastSuccessMs, lastError }) => ({
      name,
      state,
      requests: traffic?.requests ?? {},
      receivedBytes: traffic?.receivedBytes ?? 0,
      rateLimit: traffic?.rateLimit ?? null,
      lastSuccessMs: lastSuccessMs ?? null,
      lastError:
        lastError === undefined ? null : { ...lastError, message: lastError.message.slice(0, maxMessageLength) },
    })),
    fills,
    fleet,
    images: images ?? null,
    history,
  };
}
