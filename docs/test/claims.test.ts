import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Without the ADRs, whose figures were measured when the decisions were made. */
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

it.each(pages)("%s makes no claims about speed except those of the benchmarks", (page) => {
  const own = read(page).replace(/<!-- Quoted from docs\/benchmarks\.md.*?<!-- End of the quotation\. -->/s, "");
  expect(own.split("\n").filter((line) => claim.test(line))).toEqual([]);
});

function below(folder: string): string[] {
  return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
}

/** Returns an empty string for a package without a README; another test checks that published packages have one. */
function read(page: string): string {
  try {
    return readFileSync(join(root, page), "utf8");
  } catch {
    return "";
  }
}
