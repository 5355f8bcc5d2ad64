/** The style of the page. */
export const style = `
:root {
  color-scheme: light dark;
  --bg: #fbfbf9; --raised: #ffffff; --text: #1b1d1f; --soft: #5d6267; --line: #e3e4e0; --track: #e6e8e4;
  --accent: #0b6e5a; --cached: #2a9d82; --fetched: #b7bec6; --bad: #b3261e; --warn: #8a5a00;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #121416; --raised: #1a1d20; --text: #e7e8e6; --soft: #9aa0a6; --line: #2a2e32; --track: #2c3136;
    --accent: #5fd0b1; --cached: #3fae92; --fetched: #59616a; --bad: #ff8a80; --warn: #e3b341;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 3rem; max-width: 62rem; background: var(--bg); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif;
}
h1, h2, h3, p, dl, dd, figure, ol, ul { margin: 0; padding: 0; }
h1 { font-size: 1.5rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; line-height: 1.4; font-weight: 650; }
h3 { font-size: 0.875rem; font-weight: 600; color: var(--soft); }
a { color: var(--accent); text-underline-offset: 0.2em; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
code, pre, .name, .host { font-family: var(--mono); font-size: 0.875em; }
.number, b, .amount, time { font-variant-numeric: tabular-nums; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; padding: 0.5rem 0.75rem; background: var(--raised); z-index: 1; }

.title { display: flex; flex-wrap: wrap; gap: 0.25rem 2rem; align-items: baseline; justify-content: space-between; }
.mark { display: inline-block; width: 0.72em; height: 0.72em; margin-right: 0.45em; border: 0.24em solid var(--accent); border-radius: 50%; }
.host { font-weight: 450; color: var(--soft); font-size: 0.82em; margin-left: 0.2em; }
nav { display: flex; gap: 1.25rem; font-size: 0.9375rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
.lede { margin-top: 0.75rem; max-width: 44rem; }
.lede b { font-weight: 600; }
.meta { font-size: 0.875rem; color: var(--soft); }
#refresh-note { color: var(--bad); }
main > * { margin-top: 2.75rem; }
main > :empty { display: none !important; }

#figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); border-block: 1px solid var(--line); margin-top: 2rem; }
.figure { padding: 1rem 1.25rem 1.1rem 0; }
.figure dt { font-size: 0.875rem; color: var(--soft); }
.figure b { display: block; font-size: 1.75rem; line-height: 1.3; font-weight: 600; letter-spacing: -0.015em; }
small { display: block; font-size: 0.8125rem; line-height: 1.4; color: var(--soft); }
.meter { display: block; width: 100%; height: 4px; margin: 0.35rem 0; border-radius: 2px; }
.meter .track { fill: var(--track); } .meter .fill { fill: var(--cached); }

.chart-head, .section-head { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; align-items: baseline; justify-content: space-between; }
.legend { font-size: 0.875rem; color: var(--soft); }
.legend b { color: var(--text); font-weight: 600; }
.legend .item { white-space: nowrap; margin-right: 0.9rem; }
.legend .item:last-child { margin-right: 0; }
.key { display: inline-block; width: 0.6rem; height: 0.6rem; border-radius: 2px; margin-right: 0.4rem; }
.key.cached { background: var(--cached); } .key.fetched { background: var(--fetched); }
.chart { position: relative; margin-top: 0.75rem; }
.chart svg { display: block; width: 100%; height: 9.5rem; }
.chart .cached { fill: var(--cached); } .chart .fetched { fill: var(--fetched); }
.chart .grid { stroke: var(--line); } .chart .axis { stroke: var(--soft); }
.chart line { vector-effect: non-scaling-stroke; }
.y-label { position: absolute; top: 0.2rem; left: 0; font-size: 0.75rem; color: var(--soft); background: var(--bg); padding-right: 0.4rem; }
figcaption { display: flex; font-size: 0.75rem; color: var(--soft); }
figcaption span { flex: 2 2 0; text-align: center; white-space: nowrap; }
figcaption span:first-child { flex-grow: 1; text-align: left; }
figcaption span:last-child { flex-grow: 1; text-align: right; }

ul, ol { list-style: none; }
.fills li { padding: 0.6rem 0; display: grid; grid-template-columns: 1fr auto auto; gap: 0 1rem; align-items: baseline; }
.fills .meter { grid-column: 1 / -1; }
.digest { color: var(--soft); }
.amount { white-space: nowrap; color: var(--soft); font-size: 0.875rem; text-align: right; }
.empty code { white-space: nowrap; }
.more, .empty, .found { color: var(--soft); margin-top: 0.5rem; max-width: 44rem; }

table { width: 100%; border-collapse: collapse; margin-top: 0.5rem; font-size: 0.9375rem; }
th, td { text-align: left; font-weight: 400; padding: 0.55rem 1rem 0.55rem 0; border-top: 1px solid var(--line); vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-size: 0.8125rem; color: var(--soft); border-top: 0; padding-block: 0.25rem; }
tbody th { font-weight: 600; }
th.number, td.number { text-align: right; }
.number + .number + * { padding-left: 1.5rem; }
.state::before { content: ""; display: inline-block; width: 0.55rem; height: 0.55rem; border-radius: 50%; margin-right: 0.45rem; background: var(--soft); }
.state.up::before { background: var(--cached); }
.state.down::before { background: var(--bad); border-radius: 1px; }
.state.trying::before { background: var(--warn); }
.state.down, .failed { color: var(--bad); } .state.trying { color: var(--warn); }
.none, .idle { color: var(--soft); }
.error td { border-top: 0; padding-top: 0; color: var(--bad); font-size: 0.875rem; overflow-wrap: anywhere; }

.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.25rem 3rem; margin-top: 0.75rem; }
.images li { display: flex; gap: 1rem; align-items: baseline; padding: 0.4rem 0; border-top: 1px solid var(--line); }
.images .name { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.aside { font-size: 0.875rem; color: var(--soft); white-space: nowrap; }
form { display: flex; gap: 0.5rem; align-items: center; }
label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
input, button { font: inherit; font-size: 0.9375rem; color: var(--text); background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 0.35rem 0.7rem; }
input { width: 16rem; max-width: 100%; min-width: 0; }
input::placeholder { color: var(--soft); opacity: 1; }
button { cursor: pointer; }
button:hover { border-color: var(--soft); }

#setup p { margin-top: 0.6rem; max-width: 44rem; }
.clients { margin-top: 0.75rem; border-bottom: 1px solid var(--line); }
details { border-top: 1px solid var(--line); }
summary { padding: 0.7rem 0; cursor: pointer; font-weight: 600; }
.steps { padding-bottom: 1.1rem; }
.steps p:first-child { margin-top: 0; }
.code { position: relative; margin-top: 0.6rem; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; }
.code figcaption { padding: 0.45rem 0.9rem; font-family: var(--mono); border-bottom: 1px solid var(--line); }
pre { margin: 0; padding: 0.8rem 0.9rem; overflow-x: auto; line-height: 1.5; }
pre code { font-size: 0.8125rem; }
.code button { position: absolute; top: 0.65rem; right: 0.55rem; font-size: 0.8125rem; padding: 0.1rem 0.6rem; }
.code figcaption ~ button { top: 0.22rem; }
footer { margin-top: 3rem; font-size: 0.875rem; color: var(--soft); }

@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 2rem; }
  #figures { grid-template-columns: 1fr 1fr; }
  .host { display: block; margin: 0; }
  thead { display: none; }
  table, tbody, tr, tbody th, .error td { display: block; }
  tbody tr { padding: 0.6rem 0; border-top: 1px solid var(--line); }
  tbody .error { border-top: 0; padding-top: 0; }
  tbody th, td, td.number + .number + td, .error td { border-top: 0; padding: 0.1rem 0; }
  td, td.number { display: flex; justify-content: space-between; gap: 1rem; text-align: right; }
  .error td { text-align: left; }
  td[data-label]::before { content: attr(data-label); color: var(--soft); }
  .chart-head { display: block; }
  .code button { position: static; margin: 0 0.9rem 0.7rem; }
  .fills li { grid-template-columns: 1fr auto; }
  .fills .name { grid-column: 1 / -1; }
  form, input { width: 100%; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
`;
