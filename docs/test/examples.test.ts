import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { blocksOf } from "./code-blocks.js";
import { runTypeScript } from "./run-typescript.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const published = readdirSync(join(root, "packages"))
  .map((name) => join("packages", name))
  .filter((folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).private !== true);

const howTos = readdirSync(join(root, "docs/how-to")).map((name) => `docs/how-to/${name}`);
const exampleTests = readdirSync(join(root, "examples/test")).map((name) =>
  readFileSync(join(root, "examples/test", name), "utf8"),
);

describe("the examples in the documentation run", () => {
  for (const folder of published) {
    it(folder, async () => {
      const examples = blocksOf(await readFile(join(root, folder, "README.md"), "utf8"), "ts");
      expect(examples.length).toBeGreaterThan(0);
      for (const [index, source] of examples.entries())
        await runTypeScript(join(root, folder), source, `example-${index}`);
    });
  }

  it.each(["README.md", ...howTos])("%s", async (page) => {
    const markdown = await readFile(join(root, page), "utf8");
    const examples = blocksOf(markdown, "ts");
    if (page === "README.md") expect(examples.length).toBeGreaterThan(0);
    for (const [index, source] of examples.entries())
      await runTypeScript(join(root, "examples"), source, `${page.replace(/\W/g, "-")}-${index}`);
  });

  it.each(howTos)("%s: its JavaScript is part of a test of the examples", async (page) => {
    const markdown = await readFile(join(root, page), "utf8");
    for (const block of blocksOf(markdown.replace(/^ {3}/gm, ""), "js"))
      expect(exampleTests.some((text) => text.includes(block.trim()))).toBe(true);
  });
});
