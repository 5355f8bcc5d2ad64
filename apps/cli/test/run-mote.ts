import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const mainFile = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const compiled = fileURLToPath(new URL("../../../node_modules/.cache", import.meta.url));

/** A command that takes longer than a second prints its progress, so on a busy machine any does. */
const progress = /^(?:\d+ %|reading manifests|verifying|planning|syncing|making the delta)(?:,.*)?\n/gm;

/** Runs the built command, without the user's credentials and cache. `stderr` is without lines of progress. */
export async function runMote(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const ended = await run(process.execPath, [mainFile, ...args], {
    ...options,
    env: options.onlyEnv ? { ...options.env } : { NODE_COMPILE_CACHE: compiled, ...options.env },
  });
  return { ...ended, stderr: ended.stderr.replace(progress, "") };
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** In addition to the variables that are always set. */
  readonly onlyEnv?: boolean;
  /** The id of another user. Needs root. */
  readonly uid?: number;
  readonly cwd?: string;
  /** The content of stdin. Default: empty. */
  readonly input?: string;
}

export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: options.onlyEnv ? options.env : { PATH: process.env.PATH, HOME: "/nonexistent", ...options.env },
      cwd: options.cwd,
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: 0 }),
    });
    // The command may end without reading it.
    child.stdin.on("error", () => {}).end(options.input);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
}
