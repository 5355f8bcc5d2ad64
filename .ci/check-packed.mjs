// Packs every public package, installs the tarballs into an empty project, and uses them there: from TypeScript (the oldest and the
// newest that are promised), from JavaScript, and as the command, on every Node that is promised; and globally, by the line in README.md.
// Watches the sizes as it goes.
// Run it in the root folder, after `pnpm build`. `--record` writes the sizes down instead of comparing them.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSizes } from "./package-sizes.mjs";
import { publicPackages } from "./public-packages.mjs";

const nodes = ["20.19.0", "22.23.0", "24.21.0"];
const compilers = ["5.9.3", "7.0.2"];
const nodeTypes = "20.19.41";
const pnpm = ["--yes", "pnpm@10.34.9"];

const folder = mkdtempSync(join(tmpdir(), "mote-packed-"));
try {
  const packed = pack();
  checkSizes(packed, { record: process.argv.includes("--record") });
  const project = install(packed);
  compilers.forEach((version) => {
    compile(project, version);
  });
  for (const version of nodes) use(project, version);
  installCommand(packed);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Packs all: `{ name, version, tarball, folder, files }`, `folder` where it is unpacked, `files` what it holds. */
function pack() {
  return publicPackages().map(({ folder: source, manifest: { name, version } }) => {
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    run("npx", [...pnpm, "pack", "--pack-destination", place], source);
    const tarball = join(place, readdirSync(place).find((file) => file.endsWith(".tgz")) ?? "");
    run("tar", ["-xzf", tarball], place);
    const files = run("tar", ["-tzf", tarball]).trim().split("\n");
    for (const file of ["package/LICENSE", "package/README.md", "package/package.json"])
      if (!files.includes(file)) throw new Error(`${name}: the tarball has no ${file}`);
    const stray = files.filter((file) => /\.test\.|tsbuildinfo|\.examples|\/test\//.test(file));
    if (stray.length > 0) throw new Error(`${name}: the tarball has ${stray.join(", ")}`);
    const manifest = readFileSync(join(place, "package", "package.json"), "utf8");
    if (/"(?:workspace|catalog|link|file):/.test(manifest))
      throw new Error(`${name}: only pnpm understands its manifest`);
    return { name, version, tarball, folder: join(place, "package"), files };
  });
}

/** An empty project with the tarballs in it, wherever one package asks for another. */
function install(packed) {
  const project = join(folder, "project");
  cpSync(".ci/consumer", project, { recursive: true });
  const tarballs = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const typescripts = Object.fromEntries(
    compilers.map((version) => [`typescript-${version}`, `npm:typescript@${version}`]),
  );
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({
      name: "consumer",
      private: true,
      type: "module",
      dependencies: tarballs,
      devDependencies: { "@types/node": nodeTypes, ...typescripts },
      pnpm: { overrides: tarballs, ignoredBuiltDependencies: ["lmdb", "msgpackr-extract"] },
    }),
  );
  run("npx", [...pnpm, "install", "--prefer-offline", "--no-frozen-lockfile", "--ignore-workspace"], project);
  console.log(`${packed.length} packages packed and installed`);
  return project;
}

/** Twice: as Node resolves modules, and as bundlers do. The first leaves `out/use.js` behind. */
function compile(project, version) {
  const tsc = join(project, "node_modules", `typescript-${version}`, "bin", "tsc");
  run(process.execPath, [tsc, "-p", "."], project);
  run(process.execPath, [tsc, "-p", ".", "--noEmit", "--module", "preserve", "--moduleResolution", "bundler"], project);
  console.log(`TypeScript ${version}: types are right`);
}

function use(project, version) {
  // The package `node` of the npm registry brings the binary.
  const find = ["--yes", `--package=node@${version}`, "--", "node", "-p", "process.execPath"];
  const node = run("npx", find, folder).trim().split("\n").at(-1);
  const printed = ["out/use.js", "use.mjs", "use.cjs"].map((script) => run(node, [script], project).trim());
  const command = join(project, "node_modules", "@mote", "cli", "dist", "main.js");
  printed.push(`mote ${run(node, [command, "--version"], project).trim()}`);
  const demo = run(node, [command, "demo"], project);
  if (!/sha256:[0-9a-f]{12}/.test(demo)) throw new Error(`mote demo printed no digest:\n${demo}`);
  console.log(`Node ${version}: ${printed.join("; ")}; mote demo runs`);
}

/** Runs the line of README.md that installs the command, with the tarball as the package, then the command in a home of its own. */
function installCommand(packed) {
  const [line, name] = /^npm i -g (\S+)$/m.exec(readFileSync("README.md", "utf8")) ?? [];
  const tarball = packed.find((one) => one.name === name)?.tarball;
  if (tarball === undefined) throw new Error("README.md has no line that installs the command");
  const prefix = join(folder, "global");
  run("npm", ["i", "-g", "--prefix", prefix, "--prefer-offline", "--no-audit", "--no-fund", tarball]);
  const env = { PATH: `${join(prefix, "bin")}:${process.env.PATH}`, HOME: join(folder, "home") };
  const mote = (...args) => run("mote", args, folder, env);
  const version = mote("--version").trim();
  if (!version.endsWith(` (Node ${process.versions.node}, ${process.platform} ${process.arch})`))
    throw new Error(`mote --version printed ${version}`);
  const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}');
  const hex = createHash("sha256").update(bytes).digest("hex");
  mkdirSync(join(folder, "layout", "blobs", "sha256"), { recursive: true });
  writeFileSync(join(folder, "layout", "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, "layout", "blobs", "sha256", hex), bytes);
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  const manifests = [{ mediaType, digest: `sha256:${hex}`, size: bytes.byteLength, annotations }];
  writeFileSync(join(folder, "layout", "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  mote("pull", "oci:layout:1", "oci:copy:1");
  if (mote("inspect", "oci:copy:1", "--digest").trim() !== `sha256:${hex}`)
    throw new Error("mote pull has written another image");
  console.log(`${line}: mote ${version} pulls a layout`);
}

function run(command, args, cwd = ".", env = process.env) {
  const options = { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 };
  try {
    return execFileSync(command, args, options);
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")} failed\n${error.stdout ?? ""}${error.stderr ?? error.message}`);
  }
}
