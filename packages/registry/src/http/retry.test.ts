import { describe, expect, it } from "vitest";
import { backoff, delayAfterStatus, delayWithin, parseRetryAfter, retriesAfterFailure } from "./retry.js";

const policy = {
  retries: 3,
  silentRetries: 2,
  timeoutRetries: 1,
  firstDelayMs: 100,
  longestDelayMs: 1000,
  longestRetryAfterMs: 5000,
};

describe("retries", () => {
  it("read Retry-After in seconds and as a date", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    expect(parseRetryAfter("3", now)).toBe(3000);
    expect(parseRetryAfter("Thu, 01 Jan 2026 00:00:10 GMT", now)).toBe(10_000);
    expect(parseRetryAfter("Wed, 31 Dec 2025 00:00:10 GMT", now)).toBe(0);
    for (const value of [undefined, "", "soon", "-1"]) expect(parseRetryAfter(value, now) ?? 0).toBe(0);
  });

  it("wait as long as the registry requires, and give up if that is too long", () => {
    expect(delayAfterStatus(policy, 429, "2", 1)).toBe(2000);
    expect(delayAfterStatus(policy, 503, "6", 1)).toBeUndefined();
  });

  it("double the wait each time up to a maximum, half of it random", () => {
    for (const [attempt, full] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [9, 1000],
    ] as const) {
      const waits = Array.from({ length: 50 }, () => backoff(policy, attempt));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(full / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(full);
      expect(new Set(waits).size).toBeGreaterThan(1);
    }
  });

  it("are limited in number, and only for transient errors", () => {
    expect(delayAfterStatus(policy, 500, undefined, 3)).toBeGreaterThan(0);
    expect(delayAfterStatus(policy, 500, undefined, 4)).toBeUndefined();
    for (const status of [400, 401, 403, 404, 405, 501, 505, 519, 525]) {
      expect(delayAfterStatus(policy, status, undefined, 1)).toBeUndefined();
    }
    for (const status of [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524]) {
      expect([status, delayAfterStatus(policy, status, undefined, 1)]).not.toEqual([status, undefined]);
    }
    const failure = (code: string) => Object.assign(new Error(code), { code });
    expect(retriesAfterFailure(policy, failure("ECONNRESET"), false)).toBe(3);
    expect(retriesAfterFailure(policy, failure("ECONNREFUSED"), false)).toBe(2);
    expect(retriesAfterFailure(policy, failure("ECONNREFUSED"), true)).toBe(3);
    expect(retriesAfterFailure(policy, failure("ETIMEDOUT"), true)).toBe(1);
    expect(retriesAfterFailure(policy, failure("CERT_HAS_EXPIRED"), false)).toBe(0);
    expect(delayWithin(policy, 3)).toBeGreaterThan(0);
    expect(delayWithin(policy, 4)).toBeUndefined();
  });
});
