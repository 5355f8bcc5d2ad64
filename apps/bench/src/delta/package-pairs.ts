import { execFile } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Two tars: old and new versions of the same packages, as layers of images would have them. */
export interface TarPair {
  readonly name: string;
  readonly old: string;
  readonly fresh: string;
  /** How many packages have an old and a new version. */
  readonly packages: number;
}

const debianLibraries = ["bind9-libs", "libc6", "libcurl4", "libnode108", "libpython3.11-stdlib", "libssl3", "libxml2"];

const debianPrograms = ["curl", "git", "nginx", "openssl", "perl-base", "php8.2-cli", "python3.11-minimal"];

/** Name, old and new version. */
const npm = [
  ["@babel/core", "7.26.0", "7.26.9"],
  ["core-js", "3.39.0", "3.40.0"],
  ["eslint", "9.17.0", "9.18.0"],
  ["express", "4.21.0", "4.21.2"],
  ["lodash", "4.17.20", "4.17.21"],
  ["prettier", "3.4.1", "3.4.2"],
  ["react-dom", "19.0.0", "19.1.0"],
  ["rxjs", "7.8.0", "7.8.1"],
  ["typescript", "5.8.2", "5.8.3"],
  ["undici", "7.2.0", "7.3.0"],
  ["vite", "6.0.5", "6.0.7"],
  ["webpack", "5.97.0", "5.98.0"],
] as const;

/** Returns pairs of the packages that the configured sources have in two versions. Says on stderr what is missing. */
export async function packagePairs(folder: string): Promise<readonly TarPair[]> {
  const npmNames = npm.map(([name]) => name);
  const pairs = [
    await pairOf(folder, "Debian libraries", debianLibraries, unpackDebian),
    await pairOf(folder, "Debian programs", debianPrograms, unpackDebian),
    await pairOf(folder, "npm packages", npmNames, unpackNpm),
  ];
  return pairs.flatMap((pair) => pair ?? []);
}

type Unpack = (name: string, into: { readonly old: string; readonly fresh: string }) => Promise<void>;

async function pairOf(
  folder: string,
  name: string,
  packages: readonly string[],
  unpack: Unpack,
): Promise<TarPair | undefined> {
  const root = join(folder, name.replace(" ", "-"));
  const into = { old: join(root, "old"), fresh: join(root, "new") };
  await Promise.all([mkdir(into.old, { recursive: true }), mkdir(into.fresh, { recursive: true })]);
  let found = 0;
  for (const each of packages) {
    try {
      await unpack(each, into);
      found++;
    } catch (error) {
      process.stderr.write(`skipped ${each}: ${String(error).split("\n")[0]}\n`);
    }
  }
  if (found === 0) {
    process.stderr.write(`skipped all ${name}: two versions of them are needed; is the machine offline?\n`);
    return undefined;
  }
  for (const tree of [into.old, into.fresh]) {
    await run("tar", ["--sort=name", "--numeric-owner", "-C", tree, "-cf", `${tree}.tar`, "."]);
    await rm(tree, { recursive: true });
  }
  return { name, old: `${into.old}.tar`, fresh: `${into.fresh}.tar`, packages: found };
}

/** Takes the two newest versions, such as those of a release and of its security updates. */
async function unpackDebian(name: string, into: { readonly old: string; readonly fresh: string }): Promise<void> {
  const { stdout } = await run("apt-cache", ["madison", name]);
  const listed = new Set(stdout.split("\n").flatMap((line) => line.split("|")[1]?.trim() ?? []));
  const versions = await sortedVersions([...listed]);
  const [old, fresh] = versions.slice(-2);
  if (old === undefined || fresh === undefined) throw new Error(`apt knows ${versions.length} version of it`);
  for (const [version, tree] of [
    [old, into.old],
    [fresh, into.fresh],
  ] as const) {
    const packed = `${tree}.packed`;
    await mkdir(packed);
    try {
      await run("apt-get", ["download", "-q", `${name}=${version}`], { cwd: packed });
      for (const file of await readdir(packed)) await run("dpkg-deb", ["-x", join(packed, file), tree]);
    } finally {
      await rm(packed, { recursive: true });
    }
  }
}

async function sortedVersions(versions: readonly string[]): Promise<string[]> {
  const sorted: string[] = [];
  for (const version of versions) {
    let at = 0;
    while (at < sorted.length && !(await isOlder(version, sorted[at] ?? ""))) at++;
    sorted.splice(at, 0, version);
  }
  return sorted;
}

async function isOlder(version: string, than: string): Promise<boolean> {
  return run("dpkg", ["--compare-versions", version, "lt", than]).then(
    () => true,
    () => false,
  );
}

async function unpackNpm(name: string, into: { readonly old: string; readonly fresh: string }): Promise<void> {
  const [, old, fresh] = npm.find(([each]) => each === name) ?? [];
  for (const [version, tree] of [
    [old, into.old],
    [fresh, into.fresh],
  ] as const) {
    const { stdout } = await run("npm", ["pack", "--silent", `${name}@${version}`], { cwd: tree });
    const packed = join(tree, stdout.trim());
    const unpacked = join(tree, "node_modules", name);
    await mkdir(unpacked, { recursive: true });
    await run("tar", ["-xzf", packed, "--strip-components=1", "--no-same-owner", "-C", unpacked]);
    await rm(packed);
  }
}
