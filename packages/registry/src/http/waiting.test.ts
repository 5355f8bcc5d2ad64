import { describe, expect, it } from "vitest";
import { codeOf } from "../../test/outcome.js";
import { Semaphore } from "./waiting.js";

describe("a turnstile", () => {
  it("lets so many in at once, and the others in their order", async () => {
    const turnstile = new Semaphore(2);
    const order: number[] = [];
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 9 }, async (_, at) => {
        const leave = await turnstile.acquire(undefined);
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

  it("lets who gives up go, without losing a place", async () => {
    const turnstile = new Semaphore(1);
    const leave = await turnstile.acquire(undefined);
    const abort = new AbortController();
    const reason = new Error("enough");
    const impatient = codeOf(turnstile.acquire(abort.signal));
    const patient = turnstile.acquire(undefined);
    abort.abort(reason);
    expect(await impatient).toBe(reason);
    leave();
    (await patient)();
    (await turnstile.acquire(undefined))();
  });
});
