// What a consumer would trip over in the published packages: wrong exports, missing types, unresolved imports.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

let failed = false;
for (const folder of ["packages", "apps"].flatMap((top) => readdirSync(top).map((name) => `${top}/${name}`))) {
  const manifest = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  if (manifest.private) continue;
  check(folder, "publint", ["--strict", folder]);
  if (manifest.exports?.["."])
    check(folder, "attw", ["--pack", folder, "--profile", "esm-only", "--format", "ascii", "--no-summary"]);
}
if (failed) process.exit(1);
console.log("Package exports are right.");

function check(folder, command, args) {
  const result = spawnSync(`node_modules/.bin/${command}`, args, { encoding: "utf8" });
  if (result.status === 0) return;
  failed = true;
  console.error(`${command} on ${folder}:\n${result.stdout}${result.stderr}`);
}
