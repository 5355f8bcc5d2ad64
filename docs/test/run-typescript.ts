import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";

const run = promisify(execFile);

export interface RunOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs `source`, compiled, from a file in `folder`: imports resolve there as they do for the package that owns the folder.
 * Rejects where it fails.
 */
export async function runTypeScript(folder: string, source: string, name: string, options: RunOptions = {}) {
  const scratch = join(folder, ".examples", name);
  await mkdir(scratch, { recursive: true });
  const file = join(scratch, `${name}.mjs`);
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await writeFile(file, outputText);
  try {
    const { args = [], cwd = scratch, env = process.env } = options;
    return await run(process.execPath, [file, ...args], { cwd, env, timeout: 60_000 });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
