import { completionScripts } from "../completion/scripts.js";
import type { Context } from "../context.js";
import { suggestion } from "../input/nearest.js";
import { UsageError } from "../input/usage-error.js";

export async function completion({ out }: Context, shell: string): Promise<void> {
  const script = Object.entries(completionScripts).find(([name]) => name === shell)?.[1];
  if (script === undefined) {
    const names = Object.keys(completionScripts);
    throw new UsageError(`unsupported shell "${shell}"; use one of ${names.join(", ")}${suggestion(shell, names)}`);
  }
  await out.write(new TextEncoder().encode(script));
}
