import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { startDockerRegistry } from "@mote/testbed";

const mote = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));

/** A mirror of an upstream, with an empty cache when it starts. */
export interface BenchMirror extends AsyncDisposable {
  readonly url: string;
  /** The most memory that it has used, in bytes. */
  peakBytes(): number;
}

/** Starts `mote serve` over a cache folder. */
export async function startMoteMirror(folder: string, args: readonly string[]): Promise<BenchMirror> {
  await mkdir(folder, { recursive: true });
  const command = [mote, "serve", "--port", "0", "--cache", folder, "--quiet", ...args];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  const url = /^http:\S+/.exec(String(line))?.[0] ?? "";
  return { url, peakBytes: () => peakOf(child), [Symbol.asyncDispose]: () => stop(child, folder) };
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  await rm(folder, { recursive: true, force: true });
}

/** Starts Distribution as a pull-through cache: Debian's, or another program. */
export async function startDistributionMirror(
  parent: string,
  upstream: string,
  program: "docker-registry" | "registry",
): Promise<BenchMirror> {
  const registry = await startDockerRegistry({ parent, proxy: `http://${upstream}`, program });
  return {
    url: `http://${registry.host}`,
    peakBytes: () => 0,
    [Symbol.asyncDispose]: () => registry.stop(),
  };
}

function peakOf({ pid }: ChildProcess): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
