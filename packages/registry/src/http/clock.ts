/** The clock for delays. */
export interface Clock {
  /** Milliseconds since a fixed moment. */
  now(): number;
  /** Calls `fire` once after this many milliseconds. @returns a function to cancel it */
  after(ms: number, fire: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, fire) {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
};
