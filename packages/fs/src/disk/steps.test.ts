import { describe, expect, it } from "vitest";
import { runSteps, type Soon, type Steps, step } from "./steps.js";

function* sum(...calls: (() => Soon<number>)[]): Steps<number> {
  let total = 0;
  for (const call of calls) total += yield* step(call());
  return total;
}

describe("runSteps", () => {
  it("returns the result without a promise if no call returns one", () => {
    expect(runSteps(sum())).toBe(0);
    expect(
      runSteps(
        sum(
          () => 1,
          () => 2,
        ),
      ),
    ).toBe(3);
  });

  it("waits for each promise before the next call", async () => {
    const order: string[] = [];
    const slow = async (value: number) => {
      order.push(`start ${value}`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`end ${value}`);
      return value;
    };
    const result = runSteps(
      sum(
        () => 1,
        () => slow(2),
        () => 3,
        () => slow(4),
      ),
    );
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(10);
    expect(order).toEqual(["start 2", "end 2", "start 4", "end 4"]);
  });

  it("throws the error of a synchronous call, and rejects with that of a promise", async () => {
    const fail = () => {
      throw new RangeError("no");
    };
    expect(() => runSteps(sum(() => 1, fail))).toThrow(RangeError);
    await expect(runSteps(sum(async () => 1, fail))).rejects.toThrow(RangeError);
    await expect(runSteps(sum(() => Promise.reject(new TypeError("no"))))).rejects.toThrow(TypeError);
  });

  it("lets the steps catch the error of a promise, and run their finally blocks", async () => {
    const closed: string[] = [];
    function* read(call: () => Soon<string>): Steps<string> {
      try {
        return yield* step(call());
      } catch {
        return yield* step(Promise.resolve("fallback"));
      } finally {
        yield* step(Promise.resolve());
        closed.push("closed");
      }
    }
    expect(await runSteps(read(() => Promise.reject(new Error("no"))))).toBe("fallback");
    expect(await runSteps(read(() => "bytes"))).toBe("bytes");
    expect(closed).toEqual(["closed", "closed"]);
  });

  it("passes undefined and falsy results through", async () => {
    function* values(): Steps<unknown[]> {
      return [yield* step(undefined), yield* step(0), yield* step(Promise.resolve(undefined))];
    }
    expect(await runSteps(values())).toEqual([undefined, 0, undefined]);
  });
});
