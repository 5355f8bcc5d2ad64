import type { Output } from "../output/output.js";
import { count, formatBytes } from "../output/quantity.js";
import { escapeText, type Style } from "../output/terminal-text.js";
import type { OpenMote } from "../wire.js";
import { bar, joinFitting, percent } from "./parts.js";
import { Rate } from "./rate.js";
import { SyncState, shareOf } from "./sync-state.js";
import { draw } from "./ticker.js";
import { waitLog } from "./wait-log.js";

type SyncCalls = Pick<NonNullable<Parameters<OpenMote["sync"]>[2]>, "onFound" | "onImage" | "onEvent">;

interface SyncProgress extends Required<SyncCalls>, Disposable {
  /** Erases the progress from the terminal. Idempotent. */
  end(): void;
}

const shownImages = 6;
const narrowestBar = 6;

/** Shows the progress of `mote sync`: bars on a terminal, lines elsewhere, events under `--json=events`, nothing under `--quiet` and `--json`. */
export function showSync(out: Output, { label }: { readonly label: string }): SyncProgress {
  const state = new SyncState();
  const rate = new Rate();
  const logWait = waitLog(out);
  const end = draw(out, {
    lines: (nowMs, columns) => syncScreen(state, rate, { label, nowMs, columns, style: out.noteStyle }),
    line: (nowMs) => [label, ...runParts(state, rate, nowMs), state.waits.line(nowMs) ?? []].flat().join(", "),
  });
  return {
    onFound(images) {
      state.total = images;
      out.event({ type: "images", images });
    },
    onEvent(event, image) {
      const nowMs = Date.now();
      state.take(event, image, nowMs);
      logWait(event, state.waits, nowMs);
      out.event({ ...event, image: image.source });
    },
    onImage(image, { done, images }) {
      state.finish(image, done);
      out.event({ type: "image", done, images, ...image });
    },
    ...{ end, [Symbol.dispose]: end },
  };
}

interface ScreenOptions {
  readonly label: string;
  readonly nowMs: number;
  readonly columns: number;
  readonly style: Style;
}

/** Returns a line for each image that is being moved, and one for the run. */
export function syncScreen(
  state: SyncState,
  rate: Rate,
  { label, nowMs, columns, style }: ScreenOptions,
): readonly string[] {
  const active = state.active();
  const more = active.length - shownImages;
  const barWidth = Math.min(24, columns - 66);
  const drawnBar = (share: number) => (barWidth < narrowestBar ? [] : [bar(share, barWidth)]);
  const nameWidth = Math.max(10, columns - Math.max(0, barWidth) - 30);
  const [images = "", ...others] = runParts(state, rate, nowMs);
  return [
    ...active.slice(0, shownImages).map(({ source, state: image }) => {
      const name = endOf(escapeText(source), nameWidth);
      const { bytes } = image.total;
      const parts = [
        style.dim(name.padEnd(nameWidth)),
        ...(image.total.blobs === 0
          ? ["reading manifests"]
          : [...drawnBar(shareOf(image)), percent(shareOf(image)).padStart(5), formatBytes(bytes).padStart(7)]),
      ];
      return joinFitting(parts, columns - 1);
    }),
    ...(more > 0 ? [style.dim(`… and ${count(more, "more image")}`)] : []),
    joinFitting(
      [label, ...drawnBar(state.share()).map((text) => style.cyan(text)), style.bold(images), ...others],
      columns - 1,
    ),
    ...[state.waits.line(nowMs) ?? []].flat().map((line) => style.yellow(line)),
  ];
}

/** Cuts a name at its beginning, as its end tells images apart. */
function endOf(name: string, width: number): string {
  return name.length <= width ? name : `…${name.slice(1 - width)}`;
}

/** Returns the parts of the line for the run, the most important first. */
function runParts(state: SyncState, rate: Rate, nowMs: number): readonly string[] {
  const { total, done, failed } = state;
  if (total === undefined) return ["finding the images"];
  const moved = state.moved();
  rate.take(moved, nowMs);
  const perSecond = rate.perSecond();
  return [
    `${done} of ${count(total, "image")}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    formatBytes(moved),
    ...(perSecond ? [`${formatBytes(perSecond)}/s`] : []),
  ];
}
