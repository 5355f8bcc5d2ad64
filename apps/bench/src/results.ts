import { readFile, writeFile } from "node:fs/promises";
import type { Outcome } from "./compare.js";
import type { FleetResults } from "./fleet/fleet-results.js";
import type { FleetComparison } from "./fleet/real-fleet-suite.js";
import type { Machine } from "./machine.js";

/** The last run of a suite. */
export interface SuiteResults {
  /** `YYYY-MM-DD`, UTC. */
  readonly date: string;
  readonly pairs: number;
  readonly machine: Machine;
  /** The file system of the files. */
  readonly fileSystem: string;
  /** The load average of the last minute before the run. */
  readonly load: number;
  readonly rows: readonly Outcome[];
}

export interface Results {
  readonly version: 1;
  readonly suites: Readonly<Record<string, SuiteResults>>;
  readonly fleet?: FleetResults;
  readonly realFleets?: readonly FleetComparison[];
}

/** Reads the results. Without a file there are none. */
export async function readResults(path: string): Promise<Results> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { version: 1, suites: {} };
  const results: Results = JSON.parse(text);
  if (results.version !== 1) throw new Error(`${path} has version ${results.version}; this program supports 1`);
  return results;
}

/** Rounds numbers to four digits; more would be noise. */
export async function writeResults(path: string, results: Results): Promise<void> {
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  await writeFile(path, `${JSON.stringify(results, rounded, 2)}\n`);
}
