import { historyMinutes, type TrafficMinutes } from "../traffic-history.js";
import { type Html, html } from "./html.js";
import { formatBytes, formatShare } from "./quantity.js";

/** A chart's length and the length of a bar, in minutes. */
const spans = [
  { minutes: 60, bar: 1, title: "Last hour", ticks: ["60 min ago", "45", "30", "15", "now"] },
  { minutes: 6 * 60, bar: 5, title: "Last 6 hours", ticks: ["6 h ago", "4", "2", "now"] },
  { minutes: historyMinutes, bar: 20, title: "Last 24 hours", ticks: ["24 h ago", "18", "12", "6", "now"] },
] as const;

const width = 720;
const height = 150;
const minBar = 1.5;

interface Bar {
  readonly served: number;
  readonly fetched: number;
}

/** Draws the bytes that were served from the cache and fetched from upstreams, over the time since the start or the last day. */
export function trafficChart(history: TrafficMinutes): Html {
  const covered = history.hits.length;
  const span = spans.find(({ minutes }) => covered <= minutes) ?? spans[2];
  const { title, ticks, minutes, bar } = span;
  const bars = barsOf(history, minutes, bar);
  const most = niceMaximum(Math.max(...bars.map(({ served, fetched }) => Math.max(served, fetched)), 1));
  const step = width / bars.length;
  const scale = (bytes: number) => (bytes === 0 ? 0 : Math.max(minBar, (bytes / most) * height));
  const drawn = bars.map(({ served, fetched }, at) => {
    const x = (at * step).toFixed(2);
    const wide = Math.max(1, step - 2).toFixed(2);
    const [low, high] = [scale(fetched), scale(Math.max(served, fetched))];
    return html`${rect("fetched", x, wide, low, 0)}${rect("cached", x, wide, high - low, low)}`;
  });
  const total = (name: "servedBytes" | "fetchedBytes" | "hits" | "misses") =>
    history[name].slice(-minutes).reduce((sum, count) => sum + count, 0);
  const [served, fetched] = [total("servedBytes"), total("fetchedBytes")];
  const saved = Math.max(0, served - fetched);
  const rate = formatShare(total("hits"), total("hits") + total("misses"));
  const summary = `${formatBytes(served)} served, ${formatBytes(fetched)} fetched, ${formatBytes(saved)} saved`;
  return html`
<div class="chart-head">
<h2>${title}</h2>
<p class="legend"><span class="item"><span class="key cached"></span>From the cache <b>${formatBytes(saved)}</b></span> <span class="item"><span class="key fetched"></span>Fetched from upstreams <b>${formatBytes(fetched)}</b></span>${rate === undefined ? undefined : html` <span class="item">Hit rate <b>${rate}</b></span>`}</p>
</div>
<figure class="chart">
<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${title}: ${summary}">
<line class="grid" x1="0" x2="${width}" y1="0.5" y2="0.5"/><line class="grid" x1="0" x2="${width}" y1="${height / 2}" y2="${height / 2}"/>
${drawn}<line class="axis" x1="0" x2="${width}" y1="${height}" y2="${height}"/>
</svg>
<span class="y-label">${formatBytes(most)} in ${bar}\u00a0min</span>
<figcaption>${ticks.map((tick) => html`<span>${tick}</span>`)}</figcaption>
</figure>`;
}

/** `x` and `wide` in the chart's units; `above`: the height below it. */
function rect(name: string, x: string, wide: string, tall: number, above: number): Html {
  if (tall <= 0) return html``;
  const y = (height - above - tall).toFixed(2);
  return html`<rect class="${name}" x="${x}" y="${y}" width="${wide}" height="${tall.toFixed(2)}"/>`;
}

function barsOf({ servedBytes, fetchedBytes }: TrafficMinutes, minutes: number, bar: number): Bar[] {
  const sum = (series: readonly number[], at: number) => {
    // Counted from the end: the last bar ends now.
    const end = series.length - (minutes / bar - 1 - at) * bar;
    return series.slice(Math.max(0, end - bar), Math.max(0, end)).reduce((total, bytes) => total + bytes, 0);
  };
  return Array.from({ length: minutes / bar }, (_, at) => ({
    served: sum(servedBytes, at),
    fetched: sum(fetchedBytes, at),
  }));
}

/** Rounds up to 1, 2 or 5 times a power of ten. */
function niceMaximum(bytes: number): number {
  const power = 10 ** Math.floor(Math.log10(bytes));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= bytes) ?? bytes;
}
