import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Without the decisions: what they tell is what was measured when they were made. */
const pages = [
  "README.md",
  "ARCHITECTURE.md",
  ...below("docs/how-to"),
  ...below("docs/explanation"),
  ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`),
  "apps/cli/README.md",
];
const claim =
  /\d[\d,.]* ?(?:[kMG]i?B|blobs|operations|files)\/s|× ?\d|\d times (?:as|the|faster)|(?:twice|half) as|order of magnitude/;

it.each(pages)("%s claims no speed but what it quotes from the benchmarks", (page) => {
  const own = read(page).replace(/<!-- Quoted from docs\/benchmarks\.md.*?<!-- End of the quotation\. -->/s, "");
  expect(own.split("\n").filter((line) => claim.test(line))).toEqual([]);
});

function below(folder: string): string[] {
  return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
}

/** Empty where a package has no README: those that are published are looked for elsewhere. */
function read(page: string): string {
  try {
    return readFileSync(join(root, page), "utf8");
  } catch {
    return "";
  }
}
