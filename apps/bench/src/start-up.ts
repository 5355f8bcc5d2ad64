import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Comparison } from "./compare.js";

const run = promisify(execFile);
const mote = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));
const starts = 10;

/** Compares complete processes with an empty Node script. */
export async function* startSuite(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const node = async (...args: readonly string[]) => {
    for (let start = 0; start < starts; start++) await run(process.execPath, args);
  };
  const peer = { name: "node -e 0", run: () => node("-e", "0") };
  const row = { unit: "runs", amount: starts, peer } as const;
  yield { ...row, title: "mote --version", goalTime: 1.5, mote: { name: "mote", run: () => node(mote, "--version") } };
  const list = () => node(mote, "ls", "--cache", join(folder, "cache"));
  yield { ...row, title: "mote ls of an empty cache", goalTime: 2, mote: { name: "mote", run: list } };
}
