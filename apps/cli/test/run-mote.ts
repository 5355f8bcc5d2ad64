import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const mainFile = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const compiled = fileURLToPath(new URL("../../../node_modules/.cache", import.meta.url));

/** Runs the built command. The user's own credentials and cache stay out of it. */
export function runMote(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return run(process.execPath, [mainFile, ...args], {
    ...options,
    env: options.onlyEnv ? { ...options.env } : { NODE_COMPILE_CACHE: compiled, ...options.env },
  });
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Without those that are always set. */
  readonly onlyEnv?: boolean;
  /** Of another user; only root may say so. */
  readonly uid?: number;
  readonly cwd?: string;
  /** What stdin gives. Default: its end. */
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
    // It may end without having read.
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
