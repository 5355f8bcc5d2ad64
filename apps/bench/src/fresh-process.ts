import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("./process-task.js", import.meta.url));

/** The resources that a task in its own process used. */
export interface Measured {
  /** Peak memory minus the memory before the task. */
  readonly megabytes: number;
  /** How long the event loop was blocked. */
  readonly longestStallMs: number;
  readonly p99StallMs: number;
}

/** Runs a task of `process-task.ts` in a new process, to measure its memory and stalls alone. */
export async function inFreshProcess(task: string, ...parameters: readonly string[]): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, task, ...parameters]);
  return JSON.parse(stdout);
}
