import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("child.mjs", import.meta.url));
const built = fileURLToPath(new URL("../dist/index.js", import.meta.url));

export interface ChildOptions {
  /** The verb's further arguments. */
  readonly args?: readonly (string | number)[];
  /** A command to run it under. */
  readonly under?: readonly string[];
}

/** Another process at work on the file; it runs what was built. */
export function startChild(verb: string, path: string, { args = [], under = [] }: ChildOptions = {}): ChildProcess {
  if (!existsSync(built)) throw new Error("run pnpm build first: the child processes use dist");
  const [command = process.execPath, ...rest] = [...under, process.execPath, script, verb, path, ...args.map(String)];
  return spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
}

export interface Use {
  /** Of the 200 facts of the seed. */
  readonly known: number;
  /** Of what the child recorded, what it then found. */
  readonly recorded: number;
  readonly codes: readonly string[];
  readonly mode: string;
  readonly warnings: readonly { readonly message: string; readonly code?: string; readonly setAsideAs?: string }[];
}

/** What a process made of the file: looks up the seed's facts, records `count` of its own, and looks them up. */
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

/** The exit code, or the signal that ended it. */
export function endOf(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
}
