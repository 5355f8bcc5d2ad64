import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";

/** Starts a program whose files are in a folder, and waits until its output, which `log` returns, matches `ready`. */
export async function startProgram(
  program: string,
  args: readonly string[],
  { folder, ready }: { readonly folder: string; readonly ready: RegExp },
) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        const match = ready.exec(log);
        if (match !== null) resolve(match);
      });
    }
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${program} ended: ${log}`)));
  });
  return { child, ready: found, log: () => log, stop: () => stopIn(folder, child) };
}

/** Kills a program, and removes its folder. Can be called more than once. */
export async function stopIn(folder: string, child: ChildProcess): Promise<void> {
  await killAndWait(child);
  await rm(folder, { recursive: true, force: true });
}

/** Kills a process and waits for its end. Can be called more than once. */
export async function killAndWait(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
