import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureRow, type Outcome } from "./compare.js";
import { describeMachine, fileSystemOf } from "./machine.js";
import { withQuotes } from "./readme-quotes.js";
import { renderReport } from "./report.js";
import { type Results, readResults, type SuiteResults, writeResults } from "./results.js";
import { fastestFolder, withScratch } from "./scratch.js";
import { type Suite, suites } from "./suites.js";
import { wordingOf } from "./wording.js";

// Node reads these certificates at each start, which may take longer than the measured work.
delete process.env.NODE_EXTRA_CA_CERTS;

const docs = fileURLToPath(new URL("../../../docs/", import.meta.url));
const readmePath = join(docs, "..", "README.md");
const resultsPath = join(docs, "benchmarks", "results.json");

const help = `Usage: pnpm bench [NAME…] [--pairs N] [--dir DIR] [--json] [--no-report]

Each row compares mote with a peer that does the same work, in turn; the ratio is mote's value divided by the peer's. The results
replace those of the same suites in docs/benchmarks/results.json, and docs/benchmarks.md is generated from it.

  --pairs N     number of measured runs of each (default 7)
  --dir DIR     directory for files (default /dev/shm, or the temporary directory without it)
  --json        print a JSON line for each row
  --no-report   do not update the report
  --render      measure nothing; generate the report from the existing results

Names: ${Object.keys(suites).join(", ")} (default: all)`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: "string", default: "7" },
    dir: { type: "string" },
    json: { type: "boolean", default: false },
    "no-report": { type: "boolean", default: false },
    render: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const unknown = positionals.filter((name) => !(name in suites));
const pairs = Number(values.pairs);
if (values.help) console.log(help);
else if (unknown.length > 0) fail(`unknown benchmark ${unknown.join(", ")}`);
else if (!Number.isInteger(pairs) || pairs < 1) fail("--pairs requires a number above 0");
else if (values.render) await writeReport(await readResults(resultsPath));
else await measure();

function fail(why: string): void {
  console.error(`bench: ${why}`);
  console.error(help);
  process.exitCode = 2;
}

async function measure(): Promise<void> {
  const asked = Object.entries(suites).filter(([name]) => positionals.length === 0 || positionals.includes(name));
  for (const [name, suite] of asked) {
    // Each runs in a new process, so that the heap of one does not affect the next.
    if (asked.length > 1) measureApart(name);
    else await measureHere(name, suite);
  }
}

/** Measures the suites. A suite that fails keeps its former results, and the others are measured. */
function measureApart(name: string): void {
  const [node, program = ""] = [process.execPath, process.argv[1]];
  const flags = process.argv.slice(2).filter((argument) => !positionals.includes(argument));
  const { status } = spawnSync(node, [program, name, ...flags], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

async function measureHere(name: string, suite: Suite): Promise<void> {
  if (!values.json) console.log(`\n${name}`);
  const results = await runSuite(suite);
  // After each suite, so that an interrupted run keeps its results.
  if (!values["no-report"] && results.rows.length > 0) await keep(name, results, suite.details?.());
}

async function runSuite(suite: Suite): Promise<SuiteResults> {
  const parent = values.dir ?? (suite.onDisk ? tmpdir() : fastestFolder());
  const load = loadavg()[0] ?? 0;
  const rows: Outcome[] = [];
  await withScratch(parent, async (folder) => {
    for await (const row of suite.rows(folder)) {
      const outcome = await measureRow(row, pairs);
      show(outcome);
      rows.push(outcome);
    }
  });
  const date = new Date().toISOString().slice(0, 10);
  return { date, pairs, machine: describeMachine(), fileSystem: fileSystemOf(parent), load, rows };
}

function show(outcome: Outcome): void {
  if (values.json) {
    console.log(JSON.stringify(outcome));
    return;
  }
  const { mote, peer, ratio, goal } = wordingOf(outcome);
  console.log(`  ${outcome.title.padEnd(56)} ${mote.padStart(20)}  ${[peer, ratio, goal].filter(Boolean).join("  ")}`);
}

async function keep(name: string, suite: SuiteResults, details: Partial<Results> = {}): Promise<void> {
  const before = await readResults(resultsPath);
  await mkdir(dirname(resultsPath), { recursive: true });
  await writeResults(resultsPath, { ...before, ...details, suites: { ...before.suites, [name]: suite } });
  await writeReport(await readResults(resultsPath));
}

async function writeReport(results: Results): Promise<void> {
  for (const name of Object.keys(suites)) await rm(join(docs, "benchmarks", `${name}.svg`), { force: true });
  for (const [path, text] of renderReport(results)) await writeFile(join(docs, path), text);
  await writeFile(readmePath, withQuotes(await readFile(readmePath, "utf8"), results));
}
