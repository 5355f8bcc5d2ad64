import { EventEmitter } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ExchangeHub, LocalExchange, WorkerExchange } from "./exchange.js";

/** One end of a message channel in memory. Messages are JSON, as between processes. */
class End extends EventEmitter {
  other: End | undefined;

  send(message: object): void {
    const text = JSON.stringify(message);
    queueMicrotask(() => this.other?.emit("message", JSON.parse(text)));
  }
}

function startWorker(hub: ExchangeHub): { readonly exchange: WorkerExchange; readonly inParent: End } {
  const [inParent, inWorker] = [new End(), new End()];
  inParent.other = inWorker;
  inWorker.other = inParent;
  hub.connect(inParent);
  return { exchange: new WorkerExchange(inWorker), inParent };
}

afterEach(() => vi.useRealTimers());

describe("an exchange", () => {
  it("of a single process answers its own questions", async () => {
    const exchange = new LocalExchange();
    exchange.answer("figures", () => Promise.resolve({ hits: 1 }));
    expect(await exchange.ask("figures")).toEqual([{ hits: 1 }]);
    expect(await exchange.ask("other")).toEqual([]);
  });

  it("of several processes asks all of them, its own first", async () => {
    const hub = new ExchangeHub();
    const workers = [1, 2, 3].map(() => startWorker(hub));
    for (const [at, { exchange }] of workers.entries()) exchange.answer("figures", () => ({ hits: at }));
    const all = await Promise.all(workers.map(({ exchange }) => exchange.ask("figures")));
    expect(all[0]).toEqual([{ hits: 0 }, { hits: 1 }, { hits: 2 }]);
    expect(all[2]).toEqual([{ hits: 2 }, { hits: 0 }, { hits: 1 }]);
    expect(await workers[0]?.exchange.ask("unknown")).toEqual([]);
  });

  it("leaves out a process that fails, has ended, or does not answer in time", async () => {
    vi.useFakeTimers();
    const hub = new ExchangeHub();
    const [asking, failing, ended, silent] = [1, 2, 3, 4].map(() => startWorker(hub));
    asking?.exchange.answer("figures", () => 1);
    failing?.exchange.answer("figures", () => Promise.reject(new Error("broken")));
    ended?.exchange.answer("figures", () => new Promise(() => {}));
    silent?.exchange.answer("figures", () => new Promise(() => {}));
    const answers = asking?.exchange.ask("figures");
    await vi.advanceTimersByTimeAsync(0);
    ended?.inParent.emit("disconnect");
    await vi.advanceTimersByTimeAsync(2000);
    expect(await answers).toEqual([1]);
    expect(await Promise.all([asking?.exchange.ask("other")])).toEqual([[]]);
  });
});
