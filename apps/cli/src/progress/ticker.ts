import type { Output } from "../output/output.js";

const redrawEveryMs = 100;
// A log gets a line every few seconds to show that the command is still working. A short command writes none.
const firstLineMs = 1_000;
const lineEveryMs = 5_000;

interface Drawing {
  /** Returns the lines for a terminal, redrawn several times a second. */
  lines(nowMs: number, columns: number): readonly string[];
  /** Returns the line for a log, every few seconds. */
  line(nowMs: number): string;
}

/** Redraws lines on a terminal, or else prints one every few seconds; nothing with `--quiet` or `--json`. Returns a stop function. */
export function draw(out: Output, drawing: Drawing): () => void {
  if (out.quiet || out.json) return () => {};
  const { live } = out;
  const redraw = live
    ? () => live.show(drawing.lines(Date.now(), live.columns))
    : () => out.note(drawing.line(Date.now()));
  let timer = setTimeout(
    function again() {
      redraw();
      timer = setTimeout(again, live ? redrawEveryMs : lineEveryMs).unref();
    },
    live ? redrawEveryMs : firstLineMs,
  ).unref();
  return () => {
    clearTimeout(timer);
    live?.clear();
  };
}
