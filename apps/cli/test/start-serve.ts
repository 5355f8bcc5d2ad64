import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect } from "vitest";
import { mainFile } from "./run-mote.js";

const children = new Set<ChildProcess>();

// Importing this registers the hook for the tests of the importing file.
afterEach(endServing);

/** Kills all that `startServe` has started: needed before their caches are removed in a test or in another hook of it. */
export async function endServing(): Promise<void> {
  for (const child of children) {
    const exit = once(child, "exit");
    if (child.exitCode === null && child.signalCode === null && child.kill("SIGKILL")) await exit;
  }
  children.clear();
}

export interface Serving {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
  /** The lines of stderr so far. */
  readonly lines: () => string[];
}

/** Starts `mote serve` on a free port, and returns when it serves. */
export async function startServe(
  dir: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Serving> {
  const child = spawn(process.execPath, [mainFile, "serve", "--port", "0", "--cache", dir, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  children.add(child);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  let out = "";
  for await (const chunk of child.stdout) {
    out += chunk;
    if (out.includes("\n")) break;
  }
  const [line = ""] = out.split("\n");
  expect(line, errors).toMatch(/^https?:\/\/\S+:\d+ serves \//);
  const [url = ""] = line.split(" ");
  return { child, url, port: Number(new URL(url).port), lines: () => errors.split("\n").slice(0, -1) };
}
