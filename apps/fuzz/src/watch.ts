import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Limit in milliseconds for one input, generous because the machine may be busy. */
const hangMs = 10_000;
const lookMs = 250;
const largestResidentBytes = 2 * 1024 ** 3;

export interface Order {
  readonly name: string;
  readonly seed: number;
  /** The path of an input, as an earlier run printed it. */
  readonly path: string | undefined;
  readonly ms: number;
  /** Posts the input of the path without running it. */
  readonly generateOnly?: boolean;
  /** Counts the inputs. */
  readonly progress: SharedArrayBuffer;
}

export type Outcome =
  | { readonly runs: number }
  | { readonly input: string; readonly path: string; readonly error: string };

/** Fuzzes a target in a separate thread, so that an endless loop is detected. */
export async function fuzz(order: Omit<Order, "progress">): Promise<Outcome> {
  const progress = new SharedArrayBuffer(4);
  const counter = new Int32Array(progress);
  const worker = new Worker(new URL("worker.js", import.meta.url), { workerData: { ...order, progress } });
  const ended = once(worker, "message").then(([outcome]): Outcome => outcome);
  let fail: (error: string) => void = () => {};
  const stuck = new Promise<Outcome>((resolve) => {
    fail = (error) => resolve({ input: "", path: String(Math.max(0, Atomics.load(counter, 0) - 1)), error });
  });
  let seen = 0;
  let movedAt = performance.now();
  const timer = setInterval(() => {
    const runs = Atomics.load(counter, 0);
    if (runs !== seen) [seen, movedAt] = [runs, performance.now()];
    if (runs > 0 && performance.now() - movedAt > hangMs) fail(`it has not ended after ${hangMs} ms`);
    if (process.memoryUsage.rss() > largestResidentBytes) fail(`the process has ${process.memoryUsage.rss()} bytes`);
  }, lookMs);
  try {
    const outcome = await Promise.race([ended, stuck]);
    if ("runs" in outcome || outcome.input !== "") return outcome;
    return { ...outcome, input: await generate({ ...order, path: outcome.path, progress }) };
  } finally {
    clearInterval(timer);
    await worker.terminate();
  }
}

async function generate(order: Order): Promise<string> {
  const worker = new Worker(new URL("worker.js", import.meta.url), { workerData: { ...order, generateOnly: true } });
  try {
    const [input] = await once(worker, "message");
    return String(input);
  } finally {
    await worker.terminate();
  }
}
