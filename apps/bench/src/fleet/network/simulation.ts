import { Network } from "./network.js";

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly ring: () => void;
}

/** Runs asynchronous functions on a clock of its own, which jumps from one event to the next. */
export class Simulation {
  readonly network = new Network();
  readonly #alarms: Alarm[] = [];
  #now = 0;
  #order = 0;
  #events = 0;

  /** Seconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Points in time at which something happened. */
  get events(): number {
    return this.#events;
  }

  sleep(seconds: number): Promise<void> {
    return new Promise((resolve) => this.at(this.#now + seconds, resolve));
  }

  /** Calls a function at a point in time. */
  at(seconds: number, ring: () => void): void {
    const alarm = { at: Math.max(seconds, this.#now), order: this.#order++, ring };
    const alarms = this.#alarms;
    let slot = alarms.push(alarm) - 1;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      const above = alarms[parent];
      if (above === undefined || !isBefore(alarm, above)) break;
      alarms[slot] = above;
      slot = parent;
    }
    alarms[slot] = alarm;
  }

  /** Runs until there are no more events. */
  async run(): Promise<void> {
    for (;;) {
      await allReactions();
      const next = Math.min(this.network.nextAt, this.#alarms[0]?.at ?? Number.POSITIVE_INFINITY);
      if (next === Number.POSITIVE_INFINITY) return;
      this.#events++;
      this.#now = next;
      this.network.advance(next);
      while ((this.#alarms[0]?.at ?? Number.POSITIVE_INFINITY) <= next) this.#takeFirst()?.ring();
    }
  }

  #takeFirst(): Alarm | undefined {
    const alarms = this.#alarms;
    const first = alarms[0];
    const last = alarms.pop();
    if (last === undefined || alarms.length === 0) return first;
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      const [left, right] = [alarms[child], alarms[child + 1]];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        child++;
        least = right;
      }
      if (!isBefore(least, last)) break;
      alarms[slot] = least;
      slot = child;
    }
    alarms[slot] = last;
    return first;
  }
}

function isBefore(one: Alarm, other: Alarm): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Resolves when all functions that could continue have continued: Node runs what is ready before it turns to the next immediate. */
function allReactions(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
