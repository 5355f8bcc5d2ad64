import type { PullThrough } from "@mote/core";
import { type Figures, fetchedBytes, firstByteBounds } from "./figures.js";
import { TrafficHistory } from "./traffic-history.js";

type Observed = Pick<PullThrough, "upstreams" | "fills" | "fleet">;

const sampleMs = 10_000;
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Counts what a server does. */
export class Statistics {
  readonly #pullThrough: Observed | undefined;
  readonly #startedMs = Date.now();
  readonly #history = new TrafficHistory(this.#startedMs);
  readonly #requests: Record<string, number> = {};
  readonly #pushes = { blob: 0, manifest: 0 };
  readonly #firstBytes = firstByteBounds.map(() => 0).concat(0);
  readonly #timer: NodeJS.Timeout;
  readonly #counts = { hits: 0, misses: 0, servedBytes: 0, receivedBytes: 0, requestsInFlight: 0 };
  #firstByteSeconds = 0;

  constructor(pullThrough: Observed | undefined) {
    this.#pullThrough = pullThrough;
    this.#timer = setInterval(() => this.#sample(), sampleMs).unref();
  }

  /** Counts a request, whose parts are then counted by the result. */
  begin(): ServedExchange {
    this.#counts.requestsInFlight++;
    const startedAt = performance.now();
    let isFirst = true;
    let isContent = false;
    return {
      answered: (isHit) => {
        if (isHit === undefined) return;
        isContent = true;
        this.#counts[isHit ? "hits" : "misses"]++;
      },
      sent: (bytes) => {
        if (!isContent) return;
        if (isFirst) this.#observeFirstByte((performance.now() - startedAt) / 1000);
        isFirst = false;
        this.#counts.servedBytes += bytes;
      },
      received: (bytes) => {
        this.#counts.receivedBytes += bytes;
      },
      ended: (method, path, status) => {
        this.#counts.requestsInFlight--;
        const key = `${methods.has(method) ? method : "other"} ${status}`;
        this.#requests[key] = (this.#requests[key] ?? 0) + 1;
        if (status === 201) this.#pushes[path.includes("/blobs/uploads/") ? "blob" : "manifest"]++;
      },
    };
  }

  figures(): Figures {
    this.#sample();
    const { upstreams = [], fills = [], fleet = null } = this.#pullThrough ?? {};
    const { user, system } = process.cpuUsage();
    return {
      startedMs: this.#startedMs,
      ...this.#counts,
      pushes: { ...this.#pushes },
      requests: { ...this.#requests },
      firstByte: { counts: [...this.#firstBytes], sumSeconds: this.#firstByteSeconds },
      upstreams,
      fills: fills.map(({ digest, size, repository, bytes }) => ({ digest, size, repository, bytes })),
      fleet,
      history: this.#history.minutes(Date.now()),
      process: { rssBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 },
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #observeFirstByte(seconds: number): void {
    const at = firstByteBounds.findIndex((bound) => seconds <= bound);
    const bucket = at < 0 ? firstByteBounds.length : at;
    this.#firstBytes[bucket] = (this.#firstBytes[bucket] ?? 0) + 1;
    this.#firstByteSeconds += seconds;
  }

  #sample(): void {
    const { hits, misses, servedBytes } = this.#counts;
    const fetched = fetchedBytes(this.#pullThrough?.upstreams ?? []);
    this.#history.sample(Date.now(), { hits, misses, servedBytes, fetchedBytes: fetched });
  }
}

/** Counts one request. */
export interface ServedExchange {
  /** `isHit` of the response: undefined if it is not a manifest or blob. */
  answered(isHit: boolean | undefined): void;
  /** Called for each chunk of the body. */
  sent(bytes: number): void;
  /** Called for each chunk of the request's body. */
  received(bytes: number): void;
  ended(method: string, path: string, status: number): void;
}
