const minuteMs = 60_000;
/** One day. */
export const historyMinutes = 24 * 60;

/** What is summed up over time. Bytes are those of manifests and blobs. */
export interface TrafficTotals {
  readonly hits: number;
  readonly misses: number;
  readonly servedBytes: number;
  readonly fetchedBytes: number;
}

type Series = { readonly [Name in keyof TrafficTotals]: readonly number[] };

/** The traffic of each minute, from the first one on. */
export interface TrafficMinutes extends Series {
  /** Minutes since 1970. */
  readonly firstMinute: number;
}

const names = ["hits", "misses", "servedBytes", "fetchedBytes"] as const;

/** The traffic of each minute of the last day, from totals that only grow. */
export class TrafficHistory {
  readonly #minutes = new Map<number, Record<keyof TrafficTotals, number>>();
  #last: TrafficTotals = { hits: 0, misses: 0, servedBytes: 0, fetchedBytes: 0 };
  readonly #firstMinute: number;

  constructor(nowMs: number) {
    this.#firstMinute = Math.floor(nowMs / minuteMs);
  }

  /** Counts what has been added to the totals since the last call as the traffic of this minute. */
  sample(nowMs: number, totals: TrafficTotals): void {
    const minute = Math.floor(nowMs / minuteMs);
    const counts = this.#minutes.get(minute) ?? { hits: 0, misses: 0, servedBytes: 0, fetchedBytes: 0 };
    for (const name of names) counts[name] += totals[name] - this.#last[name];
    this.#minutes.set(minute, counts);
    this.#last = totals;
    for (const old of this.#minutes.keys()) if (old <= minute - historyMinutes) this.#minutes.delete(old);
  }

  /** Returns all minutes up to this one. */
  minutes(nowMs: number): TrafficMinutes {
    const last = Math.floor(nowMs / minuteMs);
    // A clock that was set back must not make a history of millions of minutes.
    const firstMinute = Math.min(last, Math.max(this.#firstMinute, last - historyMinutes + 1));
    return trafficFrom(firstMinute, last - firstMinute + 1, (minute, name) => this.#minutes.get(minute)?.[name] ?? 0);
  }
}

/** Adds the traffic of two processes, minute by minute. */
export function addTraffic(one: TrafficMinutes, other: TrafficMinutes): TrafficMinutes {
  const firstMinute = Math.min(one.firstMinute, other.firstMinute);
  const end = Math.max(endOf(one), endOf(other));
  return trafficFrom(firstMinute, Math.min(end - firstMinute, historyMinutes), (minute, name) =>
    [one, other].reduce((sum, each) => sum + (each[name][minute - each.firstMinute] ?? 0), 0),
  );
}

function trafficFrom(
  firstMinute: number,
  length: number,
  countOf: (minute: number, name: keyof TrafficTotals) => number,
): TrafficMinutes {
  const series = (name: keyof TrafficTotals) => Array.from({ length }, (_, at) => countOf(firstMinute + at, name));
  return {
    firstMinute,
    hits: series("hits"),
    misses: series("misses"),
    servedBytes: series("servedBytes"),
    fetchedBytes: series("fetchedBytes"),
  };
}

function endOf({ firstMinute, hits }: TrafficMinutes): number {
  return firstMinute + hits.length;
}
