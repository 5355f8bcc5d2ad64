import type { FillStatus } from "@mote/core";
import type { ListedImage } from "../image-list.js";
import type { StatusReport } from "../status-report.js";
import { type Html, html } from "./html.js";
import { formatBytes, formatCount, formatCounted, formatShare, timeAgo } from "./quantity.js";

/** Shows the figures that matter most. */
export function keyFigures({ hits, misses, bytes, cache, images }: StatusReport): Html {
  const answers = hits + misses;
  const rate = formatShare(hits, answers);
  return html`
${figure("Hit rate", rate ?? "–", rate === undefined ? "no answers yet" : `${formatCount(hits)} of ${formatCounted(answers, "answer")} without asking an upstream`)}
${figure("Saved", formatBytes(bytes.saved), `${formatBytes(bytes.served)} served, ${formatBytes(bytes.fetched)} fetched`)}
${figure("Cache", cache.bytes === null ? "–" : formatBytes(cache.bytes), cacheNote(cache), cacheMeter(cache))}
${figure("Images", images === null ? "–" : formatCount(images.count), images === null ? "being counted" : "names of complete images")}`;
}

function figure(label: string, value: string, note: string, extra?: Html): Html {
  return html`<div class="figure"><dt>${label}</dt><dd><b>${value}</b>${extra}<small>${note}</small></dd></div>`;
}

function cacheNote({ bytes, maxBytes }: StatusReport["cache"]): string {
  if (bytes === null) return "being measured";
  return maxBytes === null
    ? "no limit; set one with --max-size"
    : `of ${formatBytes(maxBytes)} (${formatShare(bytes, maxBytes) ?? ""})`;
}

function cacheMeter({ bytes, maxBytes }: StatusReport["cache"]): Html | undefined {
  return bytes === null || maxBytes === null ? undefined : meter(bytes, maxBytes);
}

/** A bar beside a text that says the same. */
function meter(part: number, total: number): Html {
  const percent = total > 0 ? Math.min(100, (100 * part) / total) : 0;
  return html`<svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="4"/><rect class="fill" width="${percent.toFixed(1)}" height="4"/></svg>`;
}

export function fillsSection(fills: readonly FillStatus[]): Html {
  if (fills.length === 0) return html``;
  const shown = [...fills].sort((one, other) => other.size - one.size).slice(0, 20);
  return html`
<h2>Being fetched</h2>
<ul class="fills">${shown.map(
    ({ repository, digest, bytes, size }) => html`
<li><span class="name">${breakable(repository)}</span> <code class="digest">${shortDigest(digest)}</code>
<span class="amount">${formatBytes(bytes)} of ${formatBytes(size)}</span>${meter(bytes, size)}</li>`,
  )}
</ul>${fills.length > shown.length ? html`<p class="more">and ${formatCount(fills.length - shown.length)} more</p>` : undefined}`;
}

const states = {
  closed: ["up", "Up"],
  "half-open": ["trying", "Being tried"],
  open: ["down", "Down"],
} as const;

export function upstreamsSection({ upstreams }: StatusReport, nowMs: number): Html {
  if (upstreams.length === 0) {
    return html`
<h2>Upstreams</h2>
<p class="empty">None: this server serves what is in its cache. To fetch what is missing, start it with <code>--upstream docker.io</code>.</p>`;
  }
  return html`
<h2>Upstreams</h2>
<table role="table">
<thead><tr><th scope="col">Registry</th><th scope="col">State</th><th scope="col">Last answer</th><th scope="col" class="number">Requests</th><th scope="col" class="number">Fetched</th><th scope="col">Rate limit</th></tr></thead>
<tbody>${upstreams.map((upstream) => upstreamRow(upstream, nowMs))}
</tbody>
</table>`;
}

function upstreamRow(upstream: StatusReport["upstreams"][number], nowMs: number): Html {
  const { name, state, requests, receivedBytes, rateLimit, lastSuccessMs, lastError } = upstream;
  const counts = Object.entries(requests);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const failed = counts.reduce(
    (sum, [status, count]) => sum + (/^[1-4]/.test(status) && status !== "429" ? 0 : count),
    0,
  );
  const [kind, word] = total === 0 && state === "closed" ? (["idle", "Not asked yet"] as const) : states[state];
  const isFailing = lastError !== null && (state !== "closed" || lastError.atMs > (lastSuccessMs ?? 0));
  return html`
<tr role="row"><th role="rowheader" scope="row" data-label="Registry">${breakable(name)}</th>
<td role="cell" data-label="State"><span class="state ${kind}">${word}</span></td>
<td role="cell" data-label="Last answer">${lastSuccessMs === null ? "never" : timeAgo(lastSuccessMs, nowMs)}</td>
<td role="cell" data-label="Requests" class="number"><span>${formatCount(total)}${failed > 0 ? html` <span class="failed">(${formatCount(failed)} failed)</span>` : undefined}</span></td>
<td role="cell" data-label="Fetched" class="number">${formatBytes(receivedBytes)}</td>
<td role="cell" data-label="Rate limit">${rateLimit === null ? html`<span class="none">none sent</span>` : rateLimitText(rateLimit)}</td></tr>${
    isFailing
      ? html`
<tr role="row" class="error"><td role="cell" colspan="6"><bdi>${lastError.message}</bdi> &middot; ${timeAgo(lastError.atMs, nowMs)}</td></tr>`
      : undefined
  }`;
}

/** Shows which members of the fleet this one has read from. */
export function fleetSection({ fleet }: StatusReport): Html {
  if (fleet === null) return html``;
  return html`
<h2>Fleet</h2>
<p>The others reach this member at <code>${fleet.url}</code>.</p>${
    fleet.members.length === 0
      ? html`<p class="empty">It has not read from any of them yet.</p>`
      : html`
<table role="table">
<thead><tr><th scope="col">Member</th><th scope="col" class="number">Received</th><th scope="col" class="number">Failed</th></tr></thead>
<tbody>${fleet.members.map(
          ({ url, receivedBytes, failures }) => html`
<tr role="row"><th role="rowheader" scope="row" data-label="Member">${breakable(url)}</th>
<td role="cell" data-label="Received" class="number">${formatBytes(receivedBytes)}</td>
<td role="cell" data-label="Failed" class="number">${formatCount(failures)}</td></tr>`,
        )}
</tbody>
</table>`
  }`;
}

function rateLimitText({
  limit,
  remaining,
  windowSeconds,
}: NonNullable<StatusReport["upstreams"][number]["rateLimit"]>): Html {
  const per =
    windowSeconds === undefined
      ? ""
      : ` in ${windowSeconds % 3600 === 0 ? `${windowSeconds / 3600}\u00a0h` : `${formatCount(windowSeconds)}\u00a0s`}`;
  const isLow = remaining <= limit / 10;
  return html`<span${isLow ? html` class="failed"` : undefined}>${formatCount(remaining)} of ${formatCount(limit)} left${per}</span>`;
}

export interface Search {
  readonly text: string;
  readonly found: readonly ListedImage[];
}

/** Found images that are shown. */
const maxFound = 50;

export function imageLists(images: StatusReport["images"], search: Search | undefined, nowMs: number): Html {
  if (images === null) return html`<p class="empty">The images are being counted; reload the page in a moment.</p>`;
  if (search !== undefined) return searchResult(search, nowMs);
  if (images.count === 0) {
    return html`<p class="empty">No images yet. An image appears here as soon as it is complete in the cache.</p>`;
  }
  return html`
<div class="columns">
<section aria-labelledby="latest"><h3 id="latest">Latest</h3>${imageRows(images.latest, nowMs, "time")}</section>
<section aria-labelledby="largest"><h3 id="largest">Largest</h3>${imageRows(images.largest, nowMs, "size")}</section>
</div>`;
}

function searchResult({ text, found }: Search, nowMs: number): Html {
  const shown = found.slice(0, maxFound);
  const more = found.length > shown.length ? `; the first ${maxFound} are shown` : "";
  return html`
<p class="found" role="status">${found.length === 0 ? "No image matches" : `${formatCounted(found.length, "image")} for`} &ldquo;${text}&rdquo;${more}. <a href="/#images">Show the latest and largest</a></p>
${found.length === 0 ? undefined : imageRows(shown, nowMs, "both")}`;
}

function imageRows(images: readonly ListedImage[], nowMs: number, shows: "size" | "time" | "both"): Html {
  return html`
<ol class="images">${images.map(({ name, digest, bytes, setMs }) => {
    const size = bytes === undefined ? "size not known yet" : formatBytes(bytes);
    const time = setMs === undefined ? undefined : timeAgo(setMs, nowMs);
    const amount = shows === "time" ? (time ?? "") : size;
    const aside = shows === "both" ? time : undefined;
    return html`
<li><span class="name" title="${digest}">${breakable(name)}</span> ${aside === undefined ? undefined : html`<span class="aside">${aside}</span>`} <span class="amount">${amount}</span></li>`;
  })}
</ol>`;
}

/** Lets a name be broken at its slashes and colons. */
function breakable(name: string): Html {
  return html`${name.split(/(?<=[/:@])/).flatMap((part, at) => (at === 0 ? [html`${part}`] : [html`<wbr>${part}`]))}`;
}

function shortDigest(digest: string): string {
  return digest.slice(0, digest.indexOf(":") + 13);
}
