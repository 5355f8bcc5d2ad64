import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("child.mjs", import.meta.url));
const built = fileURLToPath(new URL("../dist/index.js", import.meta.url));

export interface ChildOptions {
  /** Additional arguments of the verb. */
  readonly args?: readonly (string | number)[];
  /** A command that runs it. */
  readonly under?: readonly string[];
}

/** Starts another process that uses the file, with the built package. */
export function startChild(verb: string, path: string, { args = [], under = [] }: ChildOptions = {}): ChildProcess {
  if (!existsSync(built)) throw new Error("run pnpm build first: the child processes use dist");
  const [command = process.execPath, ...rest] = [...under, process.execPath, script, verb, path, ...args.map(String)];
  return spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
}

export interface Use {
  /** How many of the 200 facts of the seed it found. */
  readonly known: number;
  /** How many of its own records it found. */
  readonly recorded: number;
  readonly codes: readonly string[];
  readonly mode: string;
  readonly warnings: readonly { readonly message: string; readonly code?: string; readonly setAsideAs?: string }[];
}

/** In another process, looks up the facts of the seed, records `count` facts, and looks them up. */
export async function useInChild(path: string, name = "own", count = 20, options: ChildOptions = {}): Promise<Use> {
  const child = startChild("use", path, { ...options, args: [name, count] });
  const ended = endOf(child);
  let use: Use | undefined;
  for await (const line of linesOf(child)) use = JSON.parse(line);
  const end = await ended;
  if (use === undefined || end !== 0) throw new Error(`the process ended with ${end}`);
  return use;
}

export function linesOf(child: ChildProcess): AsyncIterable<string> {
  if (child.stdout === null) throw new Error("the child has no stdout");
  return createInterface(child.stdout);
}

/** Resolves to the exit code, or to the signal that ended the process. */
export function endOf(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
}
