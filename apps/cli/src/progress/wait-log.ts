import type { Output } from "../output/output.js";
import type { TransferEvent } from "../wire.js";
import type { RegistryWaits } from "./registry-waits.js";

const waitLineEveryMs = 1_000;

/** Writes a line for each wait where no progress is drawn, but at most one a second. */
export class WaitLog {
  readonly #out: Pick<Output, "live" | "note">;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(out: Pick<Output, "live" | "note">) {
    this.#out = out;
  }

  take(event: TransferEvent, waits: RegistryWaits, nowMs: number): void {
    const isWait = event.type === "wait" || (event.type === "retry" && event.registry !== undefined);
    const line = isWait ? waits.line(nowMs) : undefined;
    if (this.#out.live || line === undefined || nowMs - this.#lastMs < waitLineEveryMs) return;
    this.#lastMs = nowMs;
    this.#out.note(line);
  }
}
