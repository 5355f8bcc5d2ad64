import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { targets } from "./targets.js";
import { fuzz } from "./watch.js";

const shownCharacters = 4000;
const usage = "usage: pnpm fuzz NAME…|--all|--list [--ms N] [--seed N] [--path PATH]";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    ms: { type: "string", default: "10000" },
    seed: { type: "string" },
    path: { type: "string" },
  },
});
const names = values.all ? Object.keys(targets) : positionals;
const unknown = names.filter((name) => !(name in targets));
const ms = Number(values.ms);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (values.list) list();
else if (names.length === 0 || unknown.length > 0 || !(ms > 0) || !Number.isSafeInteger(seed)) {
  console.error(unknown.length > 0 ? `unknown target ${unknown.join(", ")}; ${usage}` : usage);
  process.exitCode = 2;
} else for (const name of names) if (!(await run(name))) process.exitCode = 1;

function list(): void {
  for (const [name, { about }] of Object.entries(targets)) console.log(`${name.padEnd(12)} ${about}`);
}

async function run(name: string): Promise<boolean> {
  const outcome = await fuzz({ name, ms, seed, path: values.path });
  if ("runs" in outcome) {
    console.log(`${name}: ${outcome.runs} inputs, seed ${seed}`);
    return outcome.runs > 0;
  }
  const { input, path, error } = outcome;
  console.error(`${name}: FAILED, seed ${seed}; repeat: pnpm fuzz ${name} --seed ${seed} --path ${path}`);
  if (input !== "") console.error(input.slice(0, shownCharacters));
  console.error(error);
  return false;
}
