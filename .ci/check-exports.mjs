// What a consumer would trip over in the published packages: wrong exports, missing types, unresolved imports.
import { spawnSync } from "node:child_process";
import { publicPackages } from "./public-packages.mjs";

let failed = false;
for (const { folder, manifest } of publicPackages()) {
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
