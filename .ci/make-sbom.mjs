// Writes a CycloneDX bill of materials of everything that is published: `node .ci/make-sbom.mjs [FILE]`, default `artefacts/mote.cdx.json`.
// What is installed, and its digests, are those of `pnpm-lock.yaml`; the same tree gives the same file on the same platform. Run it in the root folder.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Enums, Models, Serialize, SPDX, Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { parse } from "yaml";
import { publicPackages } from "./public-packages.mjs";

const file = process.argv[2] ?? "artefacts/mote.cdx.json";
const lock = parse(readFileSync("pnpm-lock.yaml", "utf8"));
const components = new Map();
const published = publicPackages();
for (const { folder, manifest } of published) components.set(folder, componentOf(manifest));
for (const { folder } of published) connect(components.get(folder), lock.importers[folder], folder);

const { version, license } = published[0].manifest;
const mote = componentOf({ name: "mote", version, license });
for (const { folder } of published) mote.dependencies.add(components.get(folder).bomRef);
const bom = new Models.Bom({
  metadata: new Models.Metadata({ component: mote }),
  components: new Models.ComponentRepository(components.values()),
});
const spec = Spec.Spec1dot6;
const text = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(spec)).serialize(bom, {
  sortLists: true,
  space: 2,
});
const problem = await new Validation.JsonStrictValidator(spec.version).validate(text);
if (problem !== null) throw new Error(`the bill of materials is not valid: ${JSON.stringify(problem)}`);
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${text}\n`);
console.log(
  `${file}: ${components.size} components, ${published.length} of them published here; CycloneDX ${spec.version}`,
);

/** Adds what the component depends on, and what that depends on in its turn. */
function connect(component, { dependencies = {}, optionalDependencies = {} }, folder) {
  for (const [name, said] of Object.entries({ ...dependencies, ...optionalDependencies })) {
    const locked = said.version ?? said;
    component.dependencies.add(dependency(name, locked, folder).bomRef);
  }
}

function dependency(name, locked, folder) {
  if (locked.startsWith("link:")) {
    const found = published.find(({ manifest }) => manifest.name === name);
    if (found === undefined) throw new Error(`${folder} depends on ${name}, which is not published`);
    return components.get(found.folder);
  }
  const key = `${name}@${locked}`;
  const known = components.get(key);
  if (known !== undefined) return known;
  const version = locked.replace(/\(.*$/, "");
  const component = componentOf({ name, version, ...installed(key, name) });
  addIntegrity(component, lock.packages[`${name}@${version}`].resolution.integrity);
  components.set(key, component);
  connect(component, lock.snapshots[key], key);
  return component;
}

/** License and description; of binaries for other platforms, which are not installed, neither is known. */
function installed(key, name) {
  const stored = `node_modules/.pnpm/${key.replace(/\//g, "+").replace(/[()]+/g, "_").replace(/_$/, "")}`;
  const path = `${stored}/node_modules/${name}/package.json`;
  if (!existsSync(path)) return {};
  const { license, description } = JSON.parse(readFileSync(path, "utf8"));
  return { license, description };
}

function componentOf({ name: fullName, version, license, description, bin }) {
  const [name, group] = fullName.split("/").reverse();
  const type = bin ? Enums.ComponentType.Application : Enums.ComponentType.Library;
  const purl = `pkg:npm/${group === undefined ? "" : `${encodeURIComponent(group)}/`}${name}@${version}`;
  const component = new Models.Component(type, name, { group, version, description, purl, bomRef: purl });
  if (typeof license === "string") {
    const isKnown = SPDX.isSupportedSpdxId(license);
    component.licenses.add(isKnown ? new Models.SpdxLicense(license) : new Models.NamedLicense(license));
  }
  return component;
}

/** As in `Subresource Integrity`: algorithm, dash, digest in base64. */
function addIntegrity(component, integrity) {
  const [algorithm, digest] = integrity.split("-", 2);
  if (algorithm !== "sha512") throw new Error(`${component.name}: a digest by ${algorithm}`);
  component.hashes.set(Enums.HashAlgorithm["SHA-512"], Buffer.from(digest, "base64").toString("hex"));
}
