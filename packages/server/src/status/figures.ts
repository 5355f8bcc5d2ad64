import type { FillStatus, FleetStatus, UpstreamStatus } from "@mote/core";
import { addTraffic, type TrafficMinutes } from "./traffic-history.js";

/** Upper bounds of the time to the first byte, in seconds. */
export const firstByteBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What one process has counted since its start, or several together. */
export interface Figures {
  /** Unix milliseconds. */
  readonly startedMs: number;
  /** Manifests and blobs that were answered without a request to an upstream. */
  readonly hits: number;
  /** Manifests and blobs for which an upstream was requested. */
  readonly misses: number;
  /** Bytes of manifests and blobs that were sent to clients. */
  readonly servedBytes: number;
  /** Bytes of the bodies of requests, such as pushes. */
  readonly receivedBytes: number;
  /** Pushed blobs and manifests. */
  readonly pushes: Readonly<Record<string, number>>;
  /** Ended requests by `METHOD STATUS`. Status 0: the client disconnected before a response. */
  readonly requests: Readonly<Record<string, number>>;
  readonly requestsInFlight: number;
  readonly firstByte: {
    /** For each bound how many were within it and above the one before; then those above all bounds. */
    readonly counts: readonly number[];
    readonly sumSeconds: number;
  };
  readonly upstreams: readonly UpstreamStatus[];
  readonly fills: readonly FillStatus[];
  /** Null if the server is not one of a fleet. */
  readonly fleet: FleetStatus | null;
  readonly history: TrafficMinutes;
  readonly process: { readonly rssBytes: number; readonly cpuSeconds: number };
}

/** Returns whether another process has sent figures: one of the same version. */
export function isFigures(answer: unknown): answer is Figures {
  return typeof answer === "object" && answer !== null && "firstByte" in answer && "history" in answer;
}

/** Adds the figures of processes that serve together. @throws TypeError without any */
export function addFigures(all: readonly Figures[]): Figures {
  return all.reduce((one, other) => ({
    startedMs: Math.min(one.startedMs, other.startedMs),
    ...addNumbers(one, other, ["hits", "misses", "servedBytes", "receivedBytes", "requestsInFlight"]),
    pushes: addCounts(one.pushes, other.pushes),
    requests: addCounts(one.requests, other.requests),
    firstByte: {
      counts: one.firstByte.counts.map((count, at) => count + (other.firstByte.counts[at] ?? 0)),
      sumSeconds: one.firstByte.sumSeconds + other.firstByte.sumSeconds,
    },
    upstreams: one.upstreams.map((upstream) => {
      const same = other.upstreams.find(({ name }) => name === upstream.name);
      return same === undefined ? upstream : addUpstreams(upstream, same);
    }),
    fills: addFills(one.fills, other.fills),
    fleet: one.fleet && { ...one.fleet, members: addMembers(one.fleet.members, other.fleet?.members ?? []) },
    history: addTraffic(one.history, other.history),
    process: addNumbers(one.process, other.process, ["rssBytes", "cpuSeconds"]),
  }));
}

/** Returns the bytes of manifests and blobs that were received from upstreams. */
export function fetchedBytes(upstreams: readonly UpstreamStatus[]): number {
  return upstreams.reduce((sum, { traffic }) => sum + (traffic?.receivedBytes ?? 0), 0);
}

const worst = ["closed", "half-open", "open"] as const;

function addUpstreams(one: UpstreamStatus, other: UpstreamStatus): UpstreamStatus {
  const [later, earlier] = lastUse(one) >= lastUse(other) ? [one, other] : [other, one];
  const isOtherWorse = worst.indexOf(other.state) > worst.indexOf(one.state);
  const errors = [one.lastError, other.lastError].filter((error) => error !== undefined);
  return {
    name: one.name,
    state: isOtherWorse ? other.state : one.state,
    lastSuccessMs: later.lastSuccessMs ?? earlier.lastSuccessMs,
    lastError: errors.sort((first, second) => second.atMs - first.atMs)[0],
    traffic: {
      requests: addCounts(one.traffic?.requests ?? {}, other.traffic?.requests ?? {}),
      receivedBytes: (one.traffic?.receivedBytes ?? 0) + (other.traffic?.receivedBytes ?? 0),
      rateLimit: later.traffic?.rateLimit ?? earlier.traffic?.rateLimit,
    },
  };
}

const lastUse = ({ lastSuccessMs = 0 }: UpstreamStatus) => lastSuccessMs;

function addNumbers<Name extends string>(
  one: Readonly<Record<Name, number>>,
  other: Readonly<Record<Name, number>>,
  names: readonly Name[],
): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Record<Name, number>;
}

/** One process fetches a blob; those that follow it may know fewer bytes. */
function addFills(one: readonly FillStatus[], other: readonly FillStatus[]): FillStatus[] {
  const byDigest = new Map(one.map((fill) => [fill.digest, fill]));
  for (const fill of other) {
    const known = byDigest.get(fill.digest);
    if (known === undefined || known.bytes < fill.bytes) byDigest.set(fill.digest, fill);
  }
  return [...byDigest.values()];
}

function addMembers(one: FleetStatus["members"], other: FleetStatus["members"]): FleetStatus["members"] {
  const byUrl = new Map(one.map((member) => [member.url, member]));
  for (const { url, receivedBytes, failures } of other) {
    const known = byUrl.get(url) ?? { url, receivedBytes: 0, failures: 0 };
    byUrl.set(url, { url, receivedBytes: known.receivedBytes + receivedBytes, failures: known.failures + failures });
  }
  return [...byUrl.values()];
}

function addCounts(one: Figures["requests"], other: Figures["requests"]): Record<string, number> {
  const sum: Record<string, number> = { ...one };
  for (const [key, count] of Object.entries(other)) sum[key] = (sum[key] ?? 0) + count;
  return sum;
}
