import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { chunksUntilAborted, untilAborted } from "./until-aborted.js";

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => "resolved",
    (error: unknown) => error,
  );

describe("untilAborted", () => {
  it("rejects with the signal's reason, and the work continues", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    let finish: (value: string) => void = () => {};
    const work = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const mine = outcome(untilAborted(work, abort.signal));
    const others = untilAborted(work, undefined);
    abort.abort(reason);
    expect(await mine).toBe(reason);
    expect(await outcome(untilAborted(work, abort.signal))).toBe(reason);
    finish("done");
    expect(await others).toBe("done");
  });

  it("leaves no unhandled rejection of the work after an abort", async () => {
    const reason = new Error("enough");
    const work = Promise.reject(new Error("late"));
    expect(await outcome(untilAborted(work, AbortSignal.abort(reason)))).toBe(reason);
  });
});

describe("chunksUntilAborted", () => {
  async function* endingAfter(count: number) {
    for (let chunk = 0; chunk < count; chunk++) yield chunk;
  }

  it("ends at an abort while the source stalls", async () => {
    const abort = new AbortController();
    async function* stuck() {
      yield 1;
      await new Promise(() => {});
    }
    const seen: number[] = [];
    const reading = (async () => {
      for await (const chunk of chunksUntilAborted(stuck(), abort.signal)) {
        seen.push(chunk);
        queueMicrotask(() => abort.abort(new Error("enough")));
      }
    })();
    expect(await outcome(reading)).toEqual(new Error("enough"));
    expect(seen).toEqual([1]);
  });

  it("rejects at once if the signal was aborted between chunks, and leaves no listener", async () => {
    const abort = new AbortController();
    const reading = chunksUntilAborted(
      (async function* () {
        for (;;) yield 1;
      })(),
      abort.signal,
    );
    expect(await reading.next()).toEqual({ done: false, value: 1 });
    abort.abort(new Error("enough"));
    expect(await outcome(reading.next())).toEqual(new Error("enough"));
    const left = new AbortController();
    for await (const _ of chunksUntilAborted(endingAfter(2), left.signal));
    expect(getEventListeners(left.signal, "abort")).toEqual([]);
    expect(await untilAborted(Promise.resolve("done"), left.signal)).toBe("done");
    expect(getEventListeners(left.signal, "abort")).toEqual([]);
  });

  it("returns the source iterator when the consumer stops", async () => {
    let returned = false;
    async function* endless() {
      try {
        for (;;) yield 1;
      } finally {
        returned = true;
      }
    }
    for await (const _ of chunksUntilAborted(endless(), undefined)) break;
    expect(returned).toBe(true);
  });
});
