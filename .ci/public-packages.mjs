import { readdirSync, readFileSync } from "node:fs";

/** The packages that are published: `{ folder, manifest }`, `manifest` as `package.json` has it. Called in the root folder. */
export function publicPackages() {
  return ["packages", "apps"]
    .flatMap((top) => readdirSync(top).map((name) => `${top}/${name}`))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) }))
    .filter(({ manifest }) => manifest.private !== true);
}
