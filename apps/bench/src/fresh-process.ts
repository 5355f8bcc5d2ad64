import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("./process-task.js", import.meta.url));

/** What a task took that had a process to itself. */
export interface Measured {
  /** The most memory, less what the process had before it began. */
  readonly megabytes: number;
  /** How long the event loop did not turn. */
  readonly longestStallMs: number;
  readonly p99StallMs: number;
}

/** Runs one of the tasks of `process-task.ts` in a new process, where memory and stalls are its own. */
export async function inFreshProcess(task: string, ...parameters: readonly string[]): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, task, ...parameters]);
  return JSON.parse(stdout);
}
