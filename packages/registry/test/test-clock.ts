import type { Clock } from "../src/http/clock.js";

interface Timer {
  readonly ms: number;
  readonly at: number;
  readonly fire: () => void;
}

/** A clock that advances only on request. */
export class TestClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();
  readonly #awaited = new Set<{ readonly fits: (ms: number) => boolean; readonly resolve: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, fire: () => void): () => void {
    const timer = { ms, at: this.#now + ms, fire };
    this.#timers.add(timer);
    for (const one of this.#awaited) if (one.fits(ms)) one.resolve();
    return () => this.#timers.delete(timer);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.fire();
    }
  }

  /** Resolves when a timer of this many milliseconds was started. */
  async timer(fits: (ms: number) => boolean): Promise<void> {
    if ([...this.#timers].some(({ ms }) => fits(ms))) return;
    await new Promise<void>((resolve) => this.#awaited.add({ fits, resolve }));
  }
}
