import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Kills a process and waits for its end. Can be called more than once. */
export async function killAndWait(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
