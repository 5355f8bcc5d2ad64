import { parseArgs } from "node:util";
import { compare, type Outcome } from "./compare.js";
import { suites } from "./suites.js";

const help = `Usage: pnpm bench [NAME…] [--pairs N] [--dir DIR] [--json]

Each row is the same work done by mote and by a peer, in turn, in one process; the ratio is mote's rate over the peer's.

  --pairs N   counted runs of each (default 7)
  --dir DIR   where files are written (default: /dev/shm where there is one, else the temporary folder)
  --json      one JSON line a row

Names: ${Object.keys(suites).join(", ")}; default: all of them.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: "string", default: "7" },
    dir: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const unknown = positionals.filter((name) => !(name in suites));
const pairs = Number(values.pairs);
if (values.help) {
  console.log(help);
} else if (unknown.length > 0 || !Number.isInteger(pairs) || pairs < 1) {
  console.error(
    unknown.length > 0 ? `bench: no benchmark is named ${unknown.join(", ")}` : "bench: --pairs wants a number",
  );
  console.error(help);
  process.exitCode = 2;
} else {
  for (const [name, suite] of Object.entries(suites)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    if (!values.json) console.log(`\n${name}`);
    for await (const comparison of suite(values.dir)) show(await compare(comparison, pairs));
  }
}

function show(outcome: Outcome): void {
  if (values.json) {
    console.log(JSON.stringify(outcome));
    return;
  }
  const { title, unit, motePerSecond, peer, peerPerSecond, ratio, goal } = outcome;
  const verdict = goal === undefined ? "" : `  (goal ${goal.text}: ${goal.met ? "met" : "MISSED"})`;
  console.log(
    `  ${title.padEnd(44)} ${rate(motePerSecond, unit)}  ${peer} ${rate(peerPerSecond, unit)}` +
      `  × ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})${verdict}`,
  );
}

function rate(perSecond: number, unit: string): string {
  return `${Math.round(perSecond).toLocaleString("en")} ${unit}/s`.padStart(18);
}
