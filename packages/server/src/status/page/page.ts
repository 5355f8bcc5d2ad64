import { createHash } from "node:crypto";
import type { StatusReport } from "../status-report.js";
import { clientSetup, code, exampleImage, type SetupFacts } from "./client-setup.js";
import { Html, html } from "./html.js";
import { formatDuration } from "./quantity.js";
import { script } from "./script.js";
import { fillsSection, fleetSection, imageLists, keyFigures, type Search, upstreamsSection } from "./sections.js";
import { style } from "./style.js";
import { trafficChart } from "./traffic-chart.js";

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%230b6e5a'/%3E%3Ccircle cx='8' cy='8' r='2.6' fill='white'/%3E%3C/svg%3E";

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Nothing is loaded from elsewhere, and only the page's own style and script are used, which are known by their hashes. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": [
    "default-src 'none'",
    `style-src ${hashOf(style)}`,
    `script-src ${hashOf(script)}`,
    "connect-src 'self'",
    "img-src data:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

export interface PageInput {
  readonly report: StatusReport;
  readonly defaultUpstream: string | undefined;
  readonly takesPushes: boolean;
  readonly search: Search | undefined;
  readonly nowMs: number;
}

/** Renders the page. Parts marked with `data-live` are replaced by the script. */
export function renderPage({ report, defaultUpstream, takesPushes, search, nowMs }: PageInput): string {
  const [scheme = "", host = ""] = report.address.split("://");
  const upstreams = report.upstreams.map(({ name }) => name);
  const facts: SetupFacts = {
    scheme,
    host,
    upstreams,
    defaultUpstream,
    takesPushes,
    exampleImage: report.images?.latest.find(({ name }) => isServed(name, upstreams))?.name,
  };
  const isNew = report.hits + report.misses === 0 && report.images?.count === 0;
  const setup = html`
<section id="setup" aria-labelledby="setup-title">
<h2 id="setup-title">${isNew ? "Start here: point a client at this server" : "Point a client at this server"}</h2>
${isNew ? firstSteps(facts) : undefined}${clientSetup(facts)}
</section>`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>mote at ${host}</title>
<link rel="icon" href="${new Html(icon)}">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<div class="title"><h1><span class="mark" aria-hidden="true"></span>mote <span class="host">${host}</span></h1>
<nav aria-label="Sections"><a href="#upstreams">Upstreams</a> <a href="#images">Images</a> <a href="#setup">Clients</a></nav></div>
<p class="lede">${lede(facts)}</p>
<p class="meta"><span id="uptime" data-live>${report.version === null ? undefined : `mote ${report.version} · `}up ${formatDuration(nowMs - report.startedMs)}</span> <span id="refresh-note" role="status"></span></p>
</header>
<main id="main">
${isNew ? setup : undefined}
<dl id="figures" data-live>${isNew ? undefined : keyFigures(report)}</dl>
<section id="traffic" data-live>${isNew ? undefined : trafficChart(report.history)}</section>
<section id="fills" data-live>${fillsSection(report.fills)}</section>
<section id="upstreams" data-live>${upstreamsSection(report, nowMs)}</section>
<section id="fleet" data-live>${fleetSection(report)}</section>
<section id="images" aria-labelledby="images-title">
<div class="section-head"><h2 id="images-title">Images</h2>
<form role="search" action="/#images" method="get"><label for="search">Search images</label><input id="search" type="search" name="q" value="${search?.text}" placeholder="Name, tag or digest" autocomplete="off" spellcheck="false" maxlength="200"><button>Search</button></form></div>
<div id="images-live" data-live>${imageLists(report.images, search, nowMs)}</div>
</section>
${isNew ? undefined : setup}
</main>
<footer><p>Read-only. The same as <a href="/api/status">JSON</a> and as <a href="/metrics">metrics</a> for Prometheus.</p></footer>
<script>${new Html(script)}</script>
</body>
</html>
`;
  return page.text;
}

/** Returns whether clients of a mirror get the image from its upstreams. Without upstreams, every stored image is served. */
function isServed(image: string, upstreams: readonly string[]): boolean {
  return upstreams.length === 0 || upstreams.some((name) => image.startsWith(`${name}/`));
}

function lede({ upstreams }: SetupFacts): Html {
  if (upstreams.length === 0) return html`An OCI registry that serves the images in its cache.`;
  return html`A mirror of ${listed(upstreams)}. What one client has pulled, all others get from here.`;
}

function listed(names: readonly string[]): Html {
  const parts = names.map((name, at) => {
    const separator = at === 0 ? "" : at === names.length - 1 ? " and " : ", ";
    return html`${separator}<b>${name}</b>`;
  });
  return html`${parts}`;
}

function firstSteps(facts: SetupFacts): Html {
  const { host, upstreams } = facts;
  if (upstreams.length === 0) {
    return html`
<p>The cache has no images yet. Pull one into it on this machine; then every client can pull it from here:</p>
${code(`mote pull docker.io/library/alpine:3.20`)}`;
  }
  return html`
<p>Nothing has been pulled yet. Try it: the first pull is fetched from its registry and stored here, and every later one is served from here.</p>
${code(`docker pull ${host}/${exampleImage(facts)}`)}
<p>Then set up a client, so that names stay as they are:</p>`;
}
