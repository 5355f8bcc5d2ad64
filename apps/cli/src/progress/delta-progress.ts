import type { Output } from "../output/output.js";
import type { DeltaProgress } from "../wire.js";
import { Rate } from "./rate.js";
import { draw } from "./ticker.js";
import { type Progress, screen, totalParts } from "./transfer-progress.js";
import { TransferState } from "./transfer-state.js";
import { waitLog } from "./wait-log.js";
import { workLine } from "./work-progress.js";

interface DeltaProgressShown extends Progress {
  readonly onProgress: (progress: DeltaProgress) => void;
}

/** Shows the pulls of both images, then the making of their deltas, then the transfer of these. */
export function showDelta(out: Output): DeltaProgressShown {
  let transfer = new TransferState();
  let rate = new Rate();
  let making: DeltaProgress | undefined;
  const words = { label: "making the delta", noun: "layers" };
  const work = ({ done, layers: total, bytes, totalBytes }: DeltaProgress) => ({
    ...words,
    ...{ done, total, bytes: Math.round(bytes), totalBytes },
  });
  const end = draw(out, {
    lines: (nowMs, columns) =>
      making === undefined
        ? screen(transfer, rate, { nowMs, columns, style: out.noteStyle })
        : [workLine(work(making), rate, nowMs, columns)],
    line: (nowMs) =>
      making === undefined
        ? [...totalParts(transfer, rate, nowMs), transfer.waits.line(nowMs) ?? []].flat().join(", ")
        : workLine(work(making), rate, nowMs),
  });
  const logWait = waitLog(out);
  return {
    onEvent(event) {
      const nowMs = Date.now();
      // Each of the transfers has its own plan.
      if (event.type === "plan") {
        transfer = new TransferState();
        rate = new Rate();
        making = undefined;
      }
      transfer.take(event, nowMs);
      logWait(event, transfer.waits, nowMs);
      out.event(event);
    },
    onProgress(progress) {
      if (making === undefined) rate = new Rate();
      making = progress;
    },
    ...{ end, [Symbol.dispose]: end },
  };
}
