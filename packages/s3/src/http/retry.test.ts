import { describe, expect, it } from "vitest";
import { defaultRetries, delayBefore, isNetworkError, isTransient } from "./retry.js";

const policy = { retries: 3, firstDelayMs: 100, longestDelayMs: 1000, longestRetryAfterMs: 5000 };

describe("retries", () => {
  it("wait twice as long each time up to a maximum, half of it random", () => {
    for (const [attempt, full] of [
      [1, 100],
      [2, 200],
      [3, 400],
    ] as const) {
      const waits = Array.from({ length: 50 }, () => delayBefore(policy, attempt) ?? 0);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(full / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(full);
      expect(new Set(waits).size).toBeGreaterThan(1);
    }
    expect(delayBefore(policy, 4)).toBe(undefined);
    expect(delayBefore({ ...policy, retries: 99 }, 50)).toBeLessThanOrEqual(1000);
  });

  it("wait as long as the service requires, unless that is too long", () => {
    const nowMs = Date.parse("2026-01-01T00:00:00Z");
    expect(delayBefore(policy, 1, "2", nowMs)).toBe(2000);
    expect(delayBefore(policy, 1, "Thu, 01 Jan 2026 00:00:03 GMT", nowMs)).toBe(3000);
    expect(delayBefore(policy, 1, "6", nowMs)).toBe(undefined);
    expect(delayBefore(policy, 1, "soon", nowMs)).toBeLessThanOrEqual(100);
  });

  it("follow what S3 calls temporary, and broken connections", () => {
    for (const status of [408, 429, 500, 502, 503, 504]) expect(isTransient(status, undefined)).toBe(true);
    for (const status of [301, 400, 401, 403, 404, 409, 412, 501, 507])
      expect(isTransient(status, undefined)).toBe(false);
    expect(isTransient(400, "RequestTimeout")).toBe(true);
    expect(isTransient(409, "OperationAborted")).toBe(true);
    expect(isNetworkError(Object.assign(new Error(), { code: "ECONNRESET" }))).toBe(true);
    expect(isNetworkError(Object.assign(new Error(), { code: "CERT_HAS_EXPIRED" }))).toBe(false);
    expect(isNetworkError(new TypeError())).toBe(false);
    expect(defaultRetries.retries).toBeGreaterThan(3);
  });
});
