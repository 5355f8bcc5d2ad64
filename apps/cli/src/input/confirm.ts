import type { Context } from "../context.js";

/** Asks at a terminal; elsewhere, and under `--quiet` and `--json`, nobody is there to ask, and what was ordered is done. */
export async function confirm({ out, signal }: Context, question: string): Promise<boolean> {
  if (out.quiet || out.json || !process.stdin.isTTY || !process.stderr.isTTY) return true;
  const { Prompt } = await import("./prompt.js");
  using prompt = new Prompt({ signal });
  return /^y(es)?$/i.test(await prompt.ask(`${question} [y/N] `));
}
