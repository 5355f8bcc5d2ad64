import type { Output } from "./output.js";

/** Asks at a terminal; elsewhere, and under `--quiet` and `--json`, nobody is there to ask, and what was ordered is done. */
export async function confirm({ quiet, json }: Output, question: string): Promise<boolean> {
  if (quiet || json || !process.stdin.isTTY || !process.stderr.isTTY) return true;
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
