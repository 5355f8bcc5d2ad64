import { beforeEach, expect, it } from "vitest";
import { CircuitBreaker } from "./circuit-breaker.js";

let nowMs: number;
let breaker: CircuitBreaker;
beforeEach(() => {
  nowMs = 5_000;
  breaker = new CircuitBreaker(() => nowMs);
});

function fail(times: number, retryAfterMs?: number): void {
  for (let i = 0; i < times; i++) {
    expect(breaker.tryRequest()).toBe(true);
    breaker.failed(retryAfterMs);
  }
}

it("lets requests through after two failures", () => {
  fail(2);
  expect(breaker.tryRequest()).toBe(true);
  expect(breaker.state).toBe("closed");
});

it("stops requests for a second after three failures in a row, then lets one through", () => {
  fail(3);
  expect(breaker.state).toBe("open");
  expect(breaker.retryAfterMs).toBe(1_000);
  expect(breaker.tryRequest()).toBe(false);
  nowMs += 1_000;
  expect(breaker.state).toBe("half-open");
  expect(breaker.tryRequest()).toBe(true);
  expect(breaker.tryRequest()).toBe(false);
});

it("closes after a trial that succeeds", () => {
  fail(3);
  nowMs += 1_000;
  breaker.tryRequest();
  breaker.succeeded();
  expect(breaker.state).toBe("closed");
  fail(2);
  expect(breaker.state).toBe("closed");
});

it("doubles the pause with each trial that fails, up to a minute", () => {
  fail(3);
  const pauses = Array.from({ length: 8 }, () => {
    nowMs += breaker.retryAfterMs;
    fail(1);
    return breaker.retryAfterMs;
  });
  expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

it("waits as long as the upstream requests, after one failure, but at most an hour", () => {
  fail(1, 7_000);
  expect(breaker.retryAfterMs).toBe(7_000);
  expect(breaker.tryRequest()).toBe(false);
  nowMs += 7_000;
  fail(1, 86_400_000);
  expect(breaker.retryAfterMs).toBe(3_600_000);
});

it("lets the next request try after a trial was abandoned", () => {
  fail(3);
  nowMs += 1_000;
  breaker.tryRequest();
  breaker.abandoned();
  expect(breaker.tryRequest()).toBe(true);
});
