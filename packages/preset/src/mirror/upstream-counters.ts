import type { RateLimit, UpstreamTraffic } from "@mote/core";
import type { ObservedResponse, Traffic } from "@mote/registry";

/** Counts the traffic to an upstream. */
export class UpstreamCounters implements Traffic, UpstreamTraffic {
  readonly requests: Record<string, number> = {};
  receivedBytes = 0;
  rateLimit: RateLimit | undefined;

  onResponse({ status, header }: ObservedResponse): void {
    const key = status === undefined ? "error" : String(status);
    this.requests[key] = (this.requests[key] ?? 0) + 1;
    this.rateLimit = readRateLimit(header) ?? this.rateLimit;
  }

  onReceived(bytes: number): void {
    this.receivedBytes += bytes;
  }
}

/** Reads the headers of Docker Hub, such as `RateLimit-Limit: 100;w=21600` (https://docs.docker.com/docker-hub/usage/pulls/). */
function readRateLimit(header: ObservedResponse["header"]): RateLimit | undefined {
  const [limit, remaining] = ["ratelimit-limit", "ratelimit-remaining"].map((name) =>
    /^(\d{1,9})(?:;w=(\d{1,9}))?$/.exec(header(name)?.trim() ?? ""),
  );
  if (!limit || !remaining) return undefined;
  const windowSeconds = limit[2] === undefined ? undefined : Number(limit[2]);
  return { limit: Number(limit[1]), remaining: Number(remaining[1]), windowSeconds };
}
