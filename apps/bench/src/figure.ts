import type { ComparisonOutcome, FigureOutcome, Outcome } from "./compare.js";
import { wordingOf } from "./wording.js";

const width = 960;
const rowHeight = 46;
const top = 58;
/** The area of the bars. Labels are to the left, values to the right. */
const plot = { from: 370, to: 740 };
/** Number of characters that fit to the left of the bars. */
const labelLength = 50;

/** A bar: its values on the axis, where 1 is the peer or, for a measurement of mote alone, the goal. */
interface Bar {
  readonly title: string;
  readonly beside: string;
  readonly value: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly goal: number | undefined;
  readonly met: boolean | undefined;
}

/** Draws the rows of a suite as SVG, for light and dark pages. */
export function drawFigure(title: string, outcomes: readonly Outcome[]): string {
  const bars = outcomes.map((outcome) => ("value" in outcome ? figureBar(outcome) : comparisonBar(outcome)));
  const scale = logScale(bars.flatMap(({ low, high, goal }) => [low, high, goal ?? 1, 1]));
  const height = top + bars.length * rowHeight + 34;
  const bottom = height - 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    style,
    `<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    `<text class="title" x="20" y="28">${escaped(title)}</text>`,
    `<text class="soft" x="20" y="46">Bar: median. Whisker: minimum to maximum. Dashed: goal. To the right of 1: faster than the peer, or below the limit.</text>`,
    ...scale.ticks.map((tick) => axisTick(tick, scale.at(tick), bottom)),
    ...bars.map((bar, row) => drawBar(bar, top + row * rowHeight, scale.at)),
    "</svg>",
    "",
  ].join("\n");
}

/** Inverts times, so that the right is always better. */
function comparisonBar(outcome: ComparisonOutcome): Bar {
  const { title, unit, mote, peer, ratio, goal } = outcome;
  const better = (value: number) => (unit === "ms" ? 1 / value : value);
  const ends = [better(ratio.min), better(ratio.max)];
  const words = wordingOf(outcome);
  return {
    title,
    beside: `compared with ${peer}`,
    value: `${unit === "ms" ? "time " : ""}${words.ratio}`,
    median: better(ratio.median),
    low: Math.min(...ends),
    high: Math.max(...ends),
    // A goal for the rate of mote is drawn where that rate would be.
    goal: goal && (goal.of === "ratio" ? better(goal.value) : (ratio.median * goal.value) / mote),
    met: goal?.met,
  };
}

function figureBar(outcome: FigureOutcome): Bar {
  const { title, value, goal, unit } = outcome;
  const better = (measured: number) => (measured === goal.atMost ? 1 : goal.atMost / measured);
  return {
    title,
    beside: `at most ${goal.atMost} ${unit}`,
    value: wordingOf(outcome).mote,
    median: better(value.median),
    low: better(value.max),
    high: better(value.min),
    goal: 1,
    met: goal.met,
  };
}

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Returns the ratios of the axis. It is logarithmic: 2 and 0.5 are equally far from 1. */
function logScale(values: readonly number[]): Scale {
  const steps = [-3, -2, -1, 0, 1, 2, 3, 4].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));
  const finite = values.filter((value) => Number.isFinite(value) && value > 0);
  const least = Math.max(...steps.filter((step) => step <= Math.min(...finite, 0.5)));
  const most = Math.min(...steps.filter((step) => step >= Math.max(...finite, 2)));
  const all = steps.filter((step) => step >= least && step <= most);
  // More labels would overlap.
  const ticks =
    all.length > 10 ? all.filter((step) => Number.isInteger(Math.round(Math.log10(step) * 1e6) / 1e6)) : all;
  const share = (value: number) => Math.log(value / least) / Math.log(most / least);
  return { ticks, at: (value) => plot.from + share(clamp(value, least, most)) * (plot.to - plot.from) };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function axisTick(value: number, x: number, bottom: number): string {
  const kind = value === 1 ? "one" : "grid";
  const label = Number(value.toPrecision(1)).toString();
  return (
    `<line class="${kind}" x1="${at(x)}" x2="${at(x)}" y1="${top}" y2="${bottom}"/>` +
    `<text class="soft" x="${at(x)}" y="${bottom + 16}" text-anchor="middle">${label}</text>`
  );
}

function drawBar(bar: Bar, y: number, x: (value: number) => number): string {
  const middle = y + rowHeight / 2;
  const [one, median, low, high] = [x(1), x(bar.median), x(bar.low), x(bar.high)];
  return [
    ...drawLabel(bar, middle),
    `<rect class="${bar.met === false ? "missed" : "bar"}" x="${at(Math.min(one, median))}" y="${middle - 8}" width="${at(Math.max(Math.abs(median - one), 1))}" height="16"/>`,
    `<path class="whisker" d="M${at(low)} ${middle}H${at(high)}M${at(low)} ${middle - 5}v10M${at(high)} ${middle - 5}v10"/>`,
    bar.goal === undefined ? "" : goalLine(x(bar.goal), middle),
    `<text class="label" x="${plot.to + 14}" y="${middle - 3}">${escaped(bar.value)}</text>`,
    bar.met === undefined
      ? ""
      : `<text class="${bar.met ? "good" : "bad"}" x="${plot.to + 14}" y="${middle + 12}">${bar.met ? "goal met" : "goal missed"}</text>`,
  ].join("");
}

/** Draws the title on as many lines as it needs, and the peer. */
function drawLabel({ title, beside }: Bar, middle: number): string[] {
  const lines = wrapped(title);
  const first = middle + 4 - (lines.length * 14) / 2;
  return [
    ...lines.map((line, at) => `<text class="label" x="20" y="${first + at * 14}">${escaped(line)}</text>`),
    `<text class="soft" x="20" y="${first + lines.length * 14}">${escaped(beside)}</text>`,
  ];
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + word.length >= labelLength) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

function goalLine(x: number, middle: number): string {
  return `<line class="goal" x1="${at(x)}" x2="${at(x)}" y1="${middle - 17}" y2="${middle + 17}"/>`;
}

function at(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

const style = `<style>
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.soft { fill: #59636e; font-size: 11px; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #e4e8ec; } .one { stroke: #59636e; }
.bar { fill: #2f81f7; } .missed { fill: #d4a72c; }
.whisker { stroke: #1f2328; fill: none; stroke-width: 1.2; }
.goal { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 4 3; }
.good { fill: #1a7f37; font-size: 11px; } .bad { fill: #9a6700; font-size: 11px; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .soft { fill: #9198a1; }
.page { fill: #0d1117; stroke: #3d444d; }
.grid { stroke: #21262d; } .one { stroke: #9198a1; }
.bar { fill: #388bfd; } .missed { fill: #bb8009; } .whisker { stroke: #e6edf3; }
.goal { stroke: #3fb950; } .good { fill: #3fb950; } .bad { fill: #d29922; }
}
</style>`;
