import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const published = readdirSync(join(root, "packages"))
  .map((name) => join("packages", name))
  .filter((folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).private !== true);

/** The ```ts blocks of a README. */
function examplesOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
}

async function runExample(folder: string, source: string, name: string): Promise<void> {
  // Beside the package's own sources, so that imports resolve as they do for the package and for who depends on it.
  const scratch = join(root, folder, ".examples");
  await mkdir(scratch, { recursive: true });
  const file = join(scratch, `${name}.mjs`);
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await writeFile(file, outputText);
  try {
    await run(process.execPath, [file], { cwd: scratch, timeout: 60_000 });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

describe("the examples of the READMEs run as they stand", () => {
  for (const folder of published) {
    it(folder, async () => {
      const examples = examplesOf(await readFile(join(root, folder, "README.md"), "utf8"));
      expect(examples.length).toBeGreaterThan(0);
      for (const [index, source] of examples.entries()) await runExample(folder, source, `example-${index}`);
    });
  }

  it("the first page", async () => {
    const examples = examplesOf(await readFile(join(root, "README.md"), "utf8"));
    expect(examples.length).toBeGreaterThan(0);
    for (const [index, source] of examples.entries()) await runExample("packages/preset", source, `readme-${index}`);
  });
});
