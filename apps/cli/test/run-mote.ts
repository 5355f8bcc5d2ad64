import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const mainFile = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command. The user's own credentials and cache stay out of it. */
export function runMote(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv } = {}): Promise<Ended> {
  return run(process.execPath, [mainFile, ...args], options);
}

export function run(
  program: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: "/nonexistent", ...options.env },
    });
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
