import type { Output } from "../output/output.js";
import { formatBytes, formatDuration } from "../output/quantity.js";
import { bar, joinFitting, percent } from "./parts.js";
import { Rate } from "./rate.js";
import { draw } from "./ticker.js";

interface WorkState {
  readonly done: number;
  /** Undefined if it is not known. */
  readonly total?: number | undefined;
  /** If set, the rate and the remaining time are based on bytes instead of `done`. */
  readonly bytes?: number | undefined;
  readonly totalBytes?: number | undefined;
}

interface Work extends Disposable {
  update(state: WorkState): void;
  /** Erases the progress from the terminal. Idempotent. */
  end(): void;
}

/** Shows the progress of a task: `label` is the task, such as `verifying`, and `noun` is what is counted, such as `motes`. */
export function showWork(out: Output, words: { readonly label: string; readonly noun: string }): Work {
  let state: WorkState = { done: 0 };
  const rate = new Rate();
  const end = draw(out, {
    lines: (nowMs, columns) => [workLine({ ...words, ...state }, rate, nowMs, columns)],
    line: (nowMs) => workLine({ ...words, ...state }, rate, nowMs),
  });
  return {
    update(now) {
      state = now;
    },
    ...{ end, [Symbol.dispose]: end },
  };
}

type WorkLine = WorkState & { readonly label: string; readonly noun: string };

/** Formats the progress, with a bar if `columns` is given. */
export function workLine(work: WorkLine, rate: Rate, nowMs: number, columns?: number): string {
  const { label, noun, done, total, bytes, totalBytes } = work;
  const [amount, whole] = bytes === undefined ? [done, total] : [bytes, totalBytes];
  rate.take(amount, nowMs);
  const perSecond = rate.perSecond();
  const parts = [
    label,
    ...(whole && columns ? [bar(amount / whole, columns < 60 ? 10 : 24)] : []),
    ...(whole ? [percent(amount / whole)] : []),
    `${done}${total === undefined ? "" : ` of ${total}`} ${noun}`,
    ...(bytes === undefined ? [] : [formatBytes(bytes)]),
    ...(bytes !== undefined && perSecond ? [`${formatBytes(perSecond)}/s`] : []),
    ...(whole && perSecond ? [`${formatDuration(((whole - amount) / perSecond) * 1000)} left`] : []),
  ];
  return columns === undefined ? parts.join(", ") : joinFitting(parts, columns - 1);
}
