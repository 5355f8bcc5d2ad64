import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const mote = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));

/** Prints the peak memory of the process in KiB at its end. */
const tellingPeak = `data:text/javascript,${encodeURIComponent(
  `import fs from "node:fs"; process.once("exit", () => process.stderr.write(fs.readFileSync("/proc/self/status", "utf8")));`,
)}`;

export interface Measured<Report> {
  readonly report: Report;
  /** The most memory that the process used. */
  readonly peakBytes: number;
  readonly processorSeconds: number;
}

/** The command, as its own process, with one cache. */
export class MoteTool {
  readonly cache: string;

  constructor(cache: string) {
    this.cache = cache;
  }

  async pull(image: string, layout: string): Promise<void> {
    await this.run("pull", `docker://${image}`, `oci:${layout}:1`);
  }

  async push(layout: string, image: string): Promise<void> {
    await this.run("push", `oci:${layout}:1`, `docker://${image}`);
  }

  async run(...words: readonly string[]): Promise<void> {
    await run(process.execPath, this.#command(...words));
  }

  /** Returns the most memory that the process used, in bytes. */
  async peakOf(...words: readonly string[]): Promise<number> {
    return (await this.measured(...words)).peakBytes;
  }

  /** Runs a command that prints a report, and measures its process. */
  async measured<Report = unknown>(...words: readonly string[]): Promise<Measured<Report>> {
    const command = [...this.#command(...words), "--json"];
    const beforeMs = processorMs();
    const { stdout, stderr } = await run(process.execPath, ["--import", tellingPeak, ...command]);
    return {
      report: JSON.parse(stdout),
      peakBytes: Number(/^VmHWM:\s+(\d+)/m.exec(stderr)?.[1]) * 1024,
      processorSeconds: (processorMs() - beforeMs) / 1000,
    };
  }

  #command(...words: readonly string[]): string[] {
    return [mote, ...words, "--cache", this.cache, "--quiet"];
  }
}

/** Returns the processor time of all processes that this one has waited for, in milliseconds. */
export function processorMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
  // proc_pid_stat(5): cutime and cstime, in hundredths of a second.
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
