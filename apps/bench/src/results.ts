import { readFile, writeFile } from "node:fs/promises";
import type { Outcome } from "./compare.js";
import type { Machine } from "./machine.js";

/** One suite's last run. */
export interface SuiteResults {
  /** `YYYY-MM-DD`, UTC. */
  readonly date: string;
  readonly pairs: number;
  readonly machine: Machine;
  /** What the files were on. */
  readonly fileSystem: string;
  /** How busy the machine was before: the load average of the last minute. */
  readonly load: number;
  readonly rows: readonly Outcome[];
}

export interface Results {
  readonly version: 1;
  readonly suites: Readonly<Record<string, SuiteResults>>;
}

/** No results where there is no file yet. */
export async function readResults(path: string): Promise<Results> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { version: 1, suites: {} };
  const results: Results = JSON.parse(text);
  if (results.version !== 1) throw new Error(`${path} is of version ${results.version}; this program writes 1.`);
  return results;
}

/** Four digits of each number: more would be noise. */
export async function writeResults(path: string, results: Results): Promise<void> {
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  await writeFile(path, `${JSON.stringify(results, rounded, 2)}\n`);
}
