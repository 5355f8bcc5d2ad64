import fc from "fast-check";
import { expect, test } from "vitest";
import { MeasuredConnections } from "./connection-count.js";

/** Runs for a number of seconds at the rate (bytes per second) that the number of connections gives. Returns each count that was used, in order. */
function run(most: number, seconds: number, rateOf: (connections: number) => number) {
  let nowMs = 0;
  const count = new MeasuredConnections(most, () => nowMs);
  const used = [count.connections];
  const msPerStep = 10;
  for (; nowMs < seconds * 1000; nowMs += msPerStep) {
    count.received((rateOf(count.connections) * msPerStep) / 1000);
    if (count.connections !== used.at(-1)) used.push(count.connections);
  }
  return { used, count };
}

test("a host that limits each connection gets more until the limit", () => {
  expect(run(6, 10, (connections) => connections * 50e6).used).toEqual([1, 2, 4, 6]);
});

test("a link that is as fast as hashing gets no more connections", () => {
  expect(run(6, 100, () => 500e6).used).toEqual([1]);
});

test("a link that one connection fills keeps one, and is measured again less and less often", () => {
  const { used } = run(6, 100, () => 100e6);
  expect(used.slice(0, 3)).toEqual([1, 2, 1]);
  expect(Math.max(...used)).toBe(2);
  expect(used.filter((connections) => connections === 2).length).toBeLessThan(6);
});

test("a limit on the total keeps as many as pay", () => {
  const { used, count } = run(16, 4, (connections) => Math.min(connections * 50, 110) * 1e6);
  expect(used).toEqual([1, 2, 4, 2]);
  expect(count.connections).toBe(2);
});

test("the ranges of a single connection grow with the bytes that have come before the rate is known", () => {
  const { count } = run(6, 0.1, () => 1e9);
  expect(count.rangeBytes).toBe(100e6);
  expect(run(6, 0.1, () => 50e6).count.rangeBytes).toBe(32 * 1024 ** 2);
  expect(run(6, 1, () => 1e9).count.rangeBytes).toBe(512 * 1024 ** 2);
});

test("a failed connection is not replaced", () => {
  const { count } = run(6, 10, (connections) => connections * 50e6);
  count.failed();
  expect(count.connections).toBe(5);
  for (let n = 0; n < 10; n++) count.failed();
  expect(count.connections).toBe(1);
});

test("counts and ranges stay within their limits at any rates", () => {
  const rates = fc.array(fc.integer({ min: 1, max: 2e9 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16 }), rates, (most, perSecond) => {
      let nowMs = 0;
      const count = new MeasuredConnections(most, () => nowMs);
      for (const rate of perSecond) {
        for (let step = 0; step < 20; step++) {
          nowMs += 50;
          count.received(rate / 20);
          expect(count.connections).toBeGreaterThanOrEqual(1);
          expect(count.connections).toBeLessThanOrEqual(most);
          expect(count.rangeBytes).toBeGreaterThanOrEqual(16 * 1024 ** 2);
          expect(count.rangeBytes).toBeLessThanOrEqual(512 * 1024 ** 2);
        }
      }
    }),
  );
});
