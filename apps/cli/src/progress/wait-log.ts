import type { Output } from "../output/output.js";
import type { TransferEvent } from "../wire.js";
import type { RegistryWaits } from "./registry-waits.js";

const waitLineEveryMs = 1_000;

/** Returns a function that writes a line for each wait where no progress is drawn, but at most one a second. */
export function waitLog({ live, note }: Pick<Output, "live" | "note">) {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (event: TransferEvent, waits: RegistryWaits, nowMs: number): void => {
    const isWait = event.type === "wait" || (event.type === "retry" && event.registry !== undefined);
    const line = isWait ? waits.line(nowMs) : undefined;
    if (live || line === undefined || nowMs - lastMs < waitLineEveryMs) return;
    lastMs = nowMs;
    note(line);
  };
}
