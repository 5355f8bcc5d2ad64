import { describe, expect, it } from "vitest";
import { codeOf } from "../../test/outcome.js";
import { Semaphore } from "./waiting.js";

describe("a semaphore", () => {
  it("limits concurrent holders, and admits the others in order", async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 9 }, async (_, at) => {
        const leave = await semaphore.acquire(undefined);
        order.push(at);
        most = Math.max(most, ++inside);
        await Promise.resolve();
        inside--;
        leave();
        leave();
      }),
    );
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("releases an aborted waiter without losing a slot", async () => {
    const semaphore = new Semaphore(1);
    const leave = await semaphore.acquire(undefined);
    const abort = new AbortController();
    const reason = new Error("enough");
    const aborted = codeOf(semaphore.acquire(abort.signal));
    const waiting = semaphore.acquire(undefined);
    abort.abort(reason);
    expect(await aborted).toBe(reason);
    leave();
    (await waiting)();
    (await semaphore.acquire(undefined))();
  });
});
