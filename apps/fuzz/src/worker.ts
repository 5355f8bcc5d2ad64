import { parentPort, workerData } from "node:worker_threads";
import { MoteError } from "@mote/core";
import fc from "fast-check";
import { targets } from "./targets.js";
import type { Order, Outcome } from "./watch.js";

const order: Order = workerData;
const progress = new Int32Array(order.progress);
const target = targets[order.name];
if (target === undefined) throw new Error(`unknown target ${order.name}`);
await target.run(async (input, read) => {
  if (order.generateOnly) {
    const [generated] = fc.sample(input, { seed: order.seed, path: order.path ?? "0", numRuns: 1 });
    return void parentPort?.postMessage(show(generated));
  }
  const property = fc.asyncProperty(input, async (value) => {
    Atomics.add(progress, 0, 1);
    try {
      await read(value);
    } catch (error) {
      if (!(MoteError.isInstance(error) && error.code.startsWith("MOTE_"))) throw error;
    }
  });
  const result = await fc.check(property, {
    seed: order.seed,
    ...(order.path === undefined ? {} : { path: order.path }),
    numRuns: order.path === undefined ? 1_000_000_000 : 1,
    interruptAfterTimeLimit: order.ms,
  });
  const { failed, counterexample, counterexamplePath: path, errorInstance } = result;
  const error = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  const outcome: Outcome =
    failed && counterexample !== null
      ? { input: show(counterexample[0]), path: path ?? "", error }
      : { runs: progress[0] ?? 0 };
  parentPort?.postMessage(outcome);
});

function show(input: unknown): string {
  return input instanceof Uint8Array ? `base64 ${Buffer.from(input).toString("base64")}` : fc.stringify(input);
}
