import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runTypeScript } from "./run-typescript.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const published = readdirSync(join(root, "packages"))
  .map((name) => join("packages", name))
  .filter((folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).private !== true);

/** The ```ts blocks of a README. */
function examplesOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
}

describe("the examples of the READMEs run as they stand", () => {
  for (const folder of published) {
    it(folder, async () => {
      const examples = examplesOf(await readFile(join(root, folder, "README.md"), "utf8"));
      expect(examples.length).toBeGreaterThan(0);
      for (const [index, source] of examples.entries())
        await runTypeScript(join(root, folder), source, `example-${index}`);
    });
  }

  it("the first page", async () => {
    const examples = examplesOf(await readFile(join(root, "README.md"), "utf8"));
    expect(examples.length).toBeGreaterThan(0);
    for (const [index, source] of examples.entries())
      await runTypeScript(join(root, "examples"), source, `readme-${index}`);
  });
});
