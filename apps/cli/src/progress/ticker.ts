import type { Output } from "../output/output.js";

const redrawEveryMs = 100;
/** A log is read later, by people: a line now and then tells them that it goes on. What is done in no time leaves none. */
const firstLineMs = 1_000;
const lineEveryMs = 5_000;

interface Drawing {
  /** What a terminal of so many columns shows, drawn anew several times a second. */
  lines(nowMs: number, columns: number): readonly string[];
  /** What a log gets every few seconds. */
  line(nowMs: number): string;
}

/** Draws on a terminal, writes a line now and then elsewhere, does nothing under `--quiet` and `--json`. Answers how to end it. */
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
