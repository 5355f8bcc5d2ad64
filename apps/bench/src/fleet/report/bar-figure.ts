/** A value that is drawn as a bar. */
interface Bar {
  readonly label: string;
  readonly value: number;
  /** The value as text. */
  readonly text: string;
  /** `good`: of the fleet. `plain`: of what it is compared with. */
  readonly kind: "good" | "plain";
}

export interface BarFigure {
  readonly title: string;
  /** What the bars are, and which direction is better. */
  readonly note: string;
  readonly bars: readonly Bar[];
  readonly scale: "linear" | "logarithmic";
  /** A value that is marked by a line, with its name. */
  readonly goal?: { readonly value: number; readonly name: string };
}

const width = 940;
const rowHeight = 26;
const top = 62;
const plot = { from: 410, to: 830 };

/** Draws horizontal bars as SVG, for light and dark pages. */
export function drawBars({ title, note, bars, scale, goal }: BarFigure): string {
  const height = top + bars.length * rowHeight + (goal === undefined ? 14 : 30);
  const values = [...bars.map(({ value }) => value), ...(goal === undefined ? [] : [goal.value])];
  const x = scaleOf(values, scale);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    style,
    `<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    `<text class="title" x="20" y="28">${escaped(title)}</text>`,
    `<text class="soft" x="20" y="47">${escaped(note)}</text>`,
    ...bars.map((bar, row) => drawBar(bar, top + row * rowHeight, x(bar.value))),
    ...(goal === undefined ? [] : [goalLine(goal.name, x(goal.value), height - 22)]),
    "</svg>",
    "",
  ].join("\n");
}

function drawBar({ label, text, kind }: Bar, y: number, end: number): string {
  const middle = y + rowHeight / 2;
  return (
    `<text class="label" x="20" y="${middle + 4}">${escaped(label)}</text>` +
    `<rect class="${kind}" x="${plot.from}" y="${middle - 8}" width="${Math.max(1, end - plot.from).toFixed(1)}" height="16"/>` +
    `<text class="label" x="${(end + 8).toFixed(1)}" y="${middle + 4}">${escaped(text)}</text>`
  );
}

function goalLine(name: string, x: number, bottom: number): string {
  return (
    `<line class="goal" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top - 2}" y2="${bottom}"/>` +
    `<text class="soft" x="${x.toFixed(1)}" y="${bottom + 13}" text-anchor="middle">${escaped(name)}</text>`
  );
}

/** Returns the end of the bar of a value. A logarithmic scale begins a little below the smallest value. */
function scaleOf(values: readonly number[], scale: BarFigure["scale"]): (value: number) => number {
  const most = Math.max(...values);
  const span = plot.to - plot.from;
  if (scale === "linear") return (value) => plot.from + (value / most) * span;
  const least = Math.min(...values) / 2;
  return (value) => plot.from + (Math.log(value / least) / Math.log(most / least)) * span;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

const style = `<style>
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; } .soft { fill: #59636e; font-size: 11px; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.good { fill: #2f81f7; } .plain { fill: #8c959f; }
.goal { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .soft { fill: #9198a1; }
.page { fill: #0d1117; stroke: #3d444d; }
.good { fill: #388bfd; } .plain { fill: #6e7681; } .goal { stroke: #3fb950; }
}
</style>`;
