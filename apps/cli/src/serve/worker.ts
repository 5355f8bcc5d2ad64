import cluster from "node:cluster";
import type { Context } from "../context.js";
import type { Order } from "./worker-pool.js";

/** Makes a worker follow its parent: its `stop` is an interrupt, its `reload` a SIGHUP. */
export function followParent(context: Context): { readonly context: Context; leave(): void } {
  const stop = new AbortController();
  process.on("message", ({ order }: { readonly order?: Order }) => {
    if (order === "stop") stop.abort(new Error("interrupted"));
    if (order === "reload") process.emit("SIGHUP");
  });
  return {
    context: { ...context, signal: AbortSignal.any([context.signal, stop.signal]) },
    // The channel to the parent keeps the process alive.
    leave: () => void cluster.worker?.disconnect(),
  };
}
