import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const table = ".ci/package-sizes.json";

/** Compares what was packed with the recorded budgets, in bytes: the tarball, and the JavaScript in it that is loaded. */
export function checkSizes(packed, { record }) {
  const sizes = Object.fromEntries(packed.map((each) => [each.name, sizesOf(each)]));
  if (record) {
    // A fifth of room, so that the budget does not move with every line.
    const budget = (bytes) => Math.ceil((bytes * 1.2) / 1000) * 1000;
    const rows = Object.entries(sizes).map(([name, { tarball, code }]) => [
      name,
      { tarball, tarballBudget: budget(tarball), code, codeBudget: budget(code) },
    ]);
    writeFileSync(table, `${JSON.stringify(Object.fromEntries(rows), null, 2)}\n`);
  }
  const budgets = JSON.parse(readFileSync(table, "utf8"));
  const complaints = [];
  for (const [name, { tarball, code }] of Object.entries(sizes)) {
    const { tarballBudget = 0, codeBudget = 0 } = budgets[name] ?? {};
    console.log(
      `${name.padEnd(18)} ${kB(tarball)} packed of ${kB(tarballBudget)}, ${kB(code)} code of ${kB(codeBudget)}`,
    );
    if (tarball > tarballBudget || code > codeBudget) complaints.push(name);
  }
  if (complaints.length > 0)
    throw new Error(
      `${complaints.join(", ")}: larger than the budget. Make it smaller, or raise the budget in ${table} and say why in the ` +
        "change (pnpm check:packed --record writes all of them anew).",
    );
}

function sizesOf({ tarball, folder, files }) {
  const scripts = files.filter((file) => /^package\/dist\/.*\.c?js$/.test(file));
  const code = scripts.reduce((sum, file) => sum + statSync(join(folder, "..", file)).size, 0);
  return { tarball: statSync(tarball).size, code };
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(0).padStart(4)} kB`;
}
