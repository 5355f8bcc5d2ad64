import type { Output } from "../output/output.js";
import { count, formatBytes, formatDuration } from "../output/quantity.js";
import type { Style } from "../output/terminal-text.js";
import type { TransferEvent } from "../wire.js";
import { bar, joinFitting, percent } from "./parts.js";
import { Rate } from "./rate.js";
import { draw } from "./ticker.js";
import { type ActiveBlob, TransferState } from "./transfer-state.js";
import { waitLog } from "./wait-log.js";

export interface Progress extends Disposable {
  readonly onEvent: (event: TransferEvent) => void;
  /** Erases the progress from the terminal. Idempotent. */
  end(): void;
}

const shownBlobs = 6;
const narrowestBar = 6;
const digestColumns = "sha256:".length + 12;

/** Shows progress: bars on a terminal, lines elsewhere, events under `--json=events`, nothing under `--quiet` and `--json`. */
export function showProgress(out: Output): Progress {
  const state = new TransferState();
  const rate = new Rate();
  const end = draw(out, {
    lines: (nowMs, columns) => screen(state, rate, { nowMs, columns, style: out.noteStyle }),
    line: (nowMs) => [...totalParts(state, rate, nowMs), state.waits.line(nowMs) ?? []].flat().join(", "),
  });
  const logWait = waitLog(out);
  return {
    onEvent(event) {
      const nowMs = Date.now();
      state.take(event, nowMs);
      logWait(event, state.waits, nowMs);
      out.event(event);
    },
    ...{ end, [Symbol.dispose]: end },
  };
}

interface ScreenOptions {
  readonly nowMs: number;
  readonly columns: number;
  readonly style: Style;
}

/** Returns a line for each active blob and one for the transfer. */
export function screen(state: TransferState, rate: Rate, { nowMs, columns, style }: ScreenOptions): string[] {
  const active = state.active();
  const more = active.length - shownBlobs;
  const barWidth = Math.min(30, columns - 66);
  const [share = "", ...parts] = totalParts(state, rate, nowMs);
  const whole = [
    ...(barWidth >= narrowestBar ? [style.cyan(bar(state.bytes() / (state.total.bytes || 1), barWidth))] : []),
    style.bold(share),
    ...parts,
  ];
  return [
    ...active.slice(0, shownBlobs).map((blob) => blobLine(blob, { barWidth, columns, style })),
    ...(more > 0 ? [style.dim(`… and ${count(more, "more blob")}`)] : []),
    joinFitting(whole, columns - 1),
    ...[state.waits.line(nowMs) ?? []].flat().map((line) => style.yellow(line)),
  ];
}

function blobLine(
  { digest, size, bytes, resumedAt, isHit }: ActiveBlob,
  { barWidth, columns, style }: { readonly barWidth: number; readonly columns: number; readonly style: Style },
): string {
  const share = size === 0 ? 1 : bytes / size;
  const parts = [
    style.dim(digest.slice(0, digestColumns)),
    ...(barWidth >= narrowestBar ? [bar(share, barWidth)] : []),
    percent(share).padStart(5),
    formatBytes(size).padStart(7),
    ...(isHit ? ["cached"] : []),
    ...(resumedAt > 0 ? [`from ${formatBytes(resumedAt)}`] : []),
  ];
  return joinFitting(parts, columns - 1);
}

/** Returns the parts of the line for the transfer, the most important first. */
export function totalParts(state: TransferState, rate: Rate, nowMs: number): string[] {
  const { total, done, hits, rebuilt, fills, mounts, resumed, moved } = state;
  const bytes = state.bytes();
  rate.take(moved, nowMs);
  const perSecond = rate.perSecond();
  if (total.blobs === 0) return ["reading manifests"];
  return [
    percent(total.bytes === 0 ? 1 : bytes / total.bytes),
    `${formatBytes(bytes)} of ${formatBytes(total.bytes)}`,
    ...(perSecond
      ? [`${formatBytes(perSecond)}/s`, `${formatDuration(((total.bytes - bytes) / perSecond) * 1000)} left`]
      : []),
    `${done.blobs} of ${count(total.blobs, "blob")}`,
    ...(hits > 0 ? [`${hits} cached`] : []),
    ...(rebuilt > 0 ? [`${rebuilt} rebuilt`] : []),
    ...(fills > 0 ? [`${fills} from the tier`] : []),
    ...(mounts > 0 ? [`${mounts} mounted`] : []),
    ...(resumed > 0 ? [`${resumed} resumed`] : []),
  ];
}
