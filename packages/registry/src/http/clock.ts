/** What waits are measured by. */
export interface Clock {
  /** Milliseconds since a moment that stays the same. */
  now(): number;
  /** Calls `fire` once after so many milliseconds. @returns how to prevent it */
  after(ms: number, fire: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, fire) {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
};
