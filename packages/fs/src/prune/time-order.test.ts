import fc from "fast-check";
import { expect, it } from "vitest";
import { inTimeOrder } from "./time-order.js";

async function order(times: readonly number[]): Promise<number[]> {
  const found: number[] = [];
  for await (const group of inTimeOrder(
    times.length,
    (index) => times[index] ?? 0,
    () => undefined,
  ))
    found.push(...group.inOrder());
  return found;
}

it("returns every number once, ordered by time", async () => {
  const times = fc.oneof(
    fc.array(fc.double({ min: 0, max: 2e12, noNaN: true }), { maxLength: 50 }),
    fc.array(fc.constantFrom(1, 2, 3), { minLength: 5000, maxLength: 9000 }),
    // Most are at one end, so that one bucket has nearly all of them.
    fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 9000, maxLength: 9000 }).map((some) => [...some, 1e12]),
  );
  await fc.assert(
    fc.asyncProperty(times, async (each) => {
      const found = await order(each);
      expect(found.toSorted((a, b) => a - b)).toEqual(each.map((_, index) => index));
      const sorted = found.map((index) => each[index] ?? 0);
      expect(sorted).toEqual(sorted.toSorted((a, b) => a - b));
    }),
    { numRuns: 30 },
  );
});
