import type { Context } from "../context.js";

/** Asks for confirmation on a terminal. Returns true without asking elsewhere and under `--quiet` and `--json`. */
export async function confirm({ out, signal }: Context, question: string): Promise<boolean> {
  if (out.quiet || out.json || !process.stdin.isTTY || !process.stderr.isTTY) return true;
  const { Prompt } = await import("./prompt.js");
  using prompt = new Prompt({ signal });
  return /^y(es)?$/i.test(await prompt.ask(`${question} [y/N] `));
}
