import fc from "fast-check";
import { expect, test } from "vitest";
import { type ByteRange, ByteRanges } from "./byte-ranges.js";
import { RangePlan } from "./range-plan.js";

const MiB = 1024 * 1024;
const storedRanges = (size: number) =>
  fc.array(
    fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) })),
    { maxLength: 8 },
  );

test("every missing byte is assigned exactly once, whatever fails in between", () => {
  const size = 300 * MiB;
  const steps = fc.array(
    fc.record({
      maxBytes: fc.integer({ min: 1, max: 80 * MiB }),
      connections: fc.integer({ min: 1, max: 16 }),
      done: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(
    fc.property(storedRanges(size), steps, (stored, outcomes) => {
      const plan = new RangePlan(size, stored);
      const received = new ByteRanges(stored);
      const open: ByteRange[] = [];
      const receive = ({ start, end }: ByteRange) => {
        expect(received.missing(start, end)).toEqual(start === end ? [] : [{ start, end }]);
        received.add(start, end);
      };
      for (const { maxBytes, connections, done } of outcomes) {
        const taken = plan.take(maxBytes, connections);
        if (taken === undefined) break;
        expect(taken.end - taken.start).toBeLessThanOrEqual(maxBytes);
        open.push(taken);
        if (done > 0.8) continue;
        // A connection ends in the middle of its range.
        const range = open.shift();
        if (range === undefined) continue;
        const at = range.start + Math.floor((range.end - range.start) * done);
        receive({ start: range.start, end: at });
        plan.giveBack({ start: at, end: range.end });
      }
      for (const range of open) receive(range);
      for (let rest = plan.take(size, 1); rest !== undefined; rest = plan.take(size, 1)) receive(rest);
      expect(plan.isEmpty).toBe(true);
      expect(received.ranges).toEqual([{ start: 0, end: size }]);
    }),
  );
});

test("ranges are assigned in order, and become smaller towards the end of the blob", () => {
  const plan = new RangePlan(1024 * MiB, []);
  const taken: ByteRange[] = [];
  for (let next = plan.take(100 * MiB, 4); next !== undefined; next = plan.take(100 * MiB, 4)) taken.push(next);
  expect(taken.map(({ start }) => start)).toEqual(taken.map(({ start }) => start).toSorted((a, b) => a - b));
  expect(taken[0]).toEqual({ start: 0, end: 100 * MiB });
  expect((taken.at(-2)?.end ?? 0) - (taken.at(-2)?.start ?? 0)).toBe(4 * MiB);
});

test("a single connection leaves half of the rest for others, down to 64 MiB", () => {
  const plan = new RangePlan(300 * MiB, []);
  expect(plan.take(512 * MiB, 1)).toEqual({ start: 0, end: 150 * MiB });
  expect(plan.take(512 * MiB, 1)).toEqual({ start: 150 * MiB, end: 225 * MiB });
  expect(plan.take(512 * MiB, 1)).toEqual({ start: 225 * MiB, end: 289 * MiB });
  expect(plan.take(512 * MiB, 1)).toEqual({ start: 289 * MiB, end: 300 * MiB });
  expect(plan.isEmpty).toBe(true);
});

test("a set of ranges is what a set of bytes is", () => {
  const size = 60;
  const change = fc.record({ add: fc.boolean(), from: fc.nat(size), to: fc.nat(size) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const ranges = new ByteRanges();
      const bytes = new Set<number>();
      for (const { add, from, to } of changes) {
        const [start, end] = [Math.min(from, to), Math.max(from, to)];
        if (add) ranges.add(start, end);
        else ranges.remove(start, end);
        for (let at = start; at < end; at++) add ? bytes.add(at) : bytes.delete(at);
      }
      const listed = ranges.ranges.flatMap(({ start, end }) =>
        Array.from({ length: end - start }, (_, n) => start + n),
      );
      expect(listed).toEqual([...bytes].sort((a, b) => a - b));
      expect(ranges.bytes).toBe(bytes.size);
      const missing = ranges
        .missing(0, size)
        .flatMap(({ start, end }) => Array.from({ length: end - start }, (_, n) => start + n));
      expect(missing).toEqual(Array.from({ length: size }, (_, n) => n).filter((at) => !bytes.has(at)));
      for (const [index, { start }] of ranges.ranges.entries())
        expect(start).toBeGreaterThan(ranges.ranges[index - 1]?.end ?? -1);
    }),
    {
      examples: [
        [
          [
            { add: true, from: 0, to: 3 },
            { add: false, from: 2, to: 2 },
          ],
        ],
      ],
    },
  );
});
