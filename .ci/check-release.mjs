// The release that the changesets of this tree would make: done in a copy, and every public package gets the same version.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { publicPackages } from "./public-packages.mjs";

const folder = mkdtempSync(join(tmpdir(), "mote-release-"));
try {
  const manifests = publicPackages().map((each) => `${each.folder}/package.json`);
  const others = [
    "apps/bench/package.json",
    "apps/fuzz/package.json",
    "packages/testbed/package.json",
    "examples/package.json",
  ];
  for (const path of ["package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml", ".changeset", ...manifests, ...others]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(path, join(folder, path), { recursive: true });
  }
  execFileSync(resolve("node_modules/.bin/changeset"), ["version"], { cwd: folder, stdio: "pipe" });
  const versions = new Map(
    manifests.map((path) => [path, JSON.parse(readFileSync(join(folder, path), "utf8")).version]),
  );
  const [version] = versions.values();
  for (const [path, its] of versions)
    if (its !== version) throw new Error(`${path} would be ${its}, others ${version}`);
  check(manifests);
  execFileSync(process.execPath, [".ci/make-sbom.mjs", join(folder, "mote.cdx.json")], { stdio: "inherit" });
  console.log(`The next release is ${version}, of ${manifests.length} packages.`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What npm wants to know of each package, and what it must not lack when it is published with provenance. */
function check(manifests) {
  for (const path of manifests) {
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    const lacks = ["description", "keywords", "license", "engines", "files", "exports"].filter((key) => !manifest[key]);
    if (lacks.length > 0) throw new Error(`${path} lacks ${lacks.join(", ")}`);
    const { access, provenance } = manifest.publishConfig ?? {};
    if (access !== "public" || provenance !== true)
      throw new Error(`${path}: publishConfig wants access and provenance`);
    if (manifest.sideEffects !== false && !manifest.bin) throw new Error(`${path}: sideEffects: false is missing`);
    if (manifest.engines.node !== ">=20.19") throw new Error(`${path}: engines.node differs from the others`);
  }
}
