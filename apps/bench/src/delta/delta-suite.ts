import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "../compare.js";
import { packagePairs } from "./package-pairs.js";

const program = fileURLToPath(new URL("./delta/delta-task.js", import.meta.url));

export interface MadeDelta {
  /** The size of the delta, of the new layer compressed with gzip at its default level. */
  readonly percent: number;
  readonly makeSecondsPer6MB: number;
  readonly applySecondsPer6MB: number;
  readonly peakMegabytes: number;
}

/** Makes deltas between old and new versions of real packages, which are fetched first. Each pair is measured once. */
export async function* deltaSuite(folder: string): AsyncGenerator<Figure, void, undefined> {
  for await (const { name, old, fresh, packages } of packagePairs(folder)) {
    const { stdout } = await promisify(execFile)(process.execPath, [program, old, fresh]);
    const made: MadeDelta = JSON.parse(stdout);
    const what = `${packages} ${name}`;
    yield { title: `size, ${what}`, unit: "% of the layer", atMost: 12, measure: async () => made.percent };
    const seconds = { unit: "CPU s per 6 MB", atMost: 1 };
    yield { title: `making it, ${what}`, ...seconds, measure: async () => made.makeSecondsPer6MB };
    yield { title: `applying it, ${what}`, ...seconds, measure: async () => made.applySecondsPer6MB };
    yield { title: `peak memory, ${what}`, unit: "MB", atMost: 256, measure: async () => made.peakMegabytes };
  }
}
