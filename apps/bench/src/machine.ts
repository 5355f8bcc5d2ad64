import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem, type } from "node:os";

/** The machine, which affects the results. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** By name: `node`, `skopeo`, `openssl`, `cacache`, … */
  readonly versions: Readonly<Record<string, string>>;
}

export function describeMachine(): Machine {
  const [processor] = cpus();
  return {
    processor: processor?.model.replace(/\s+/g, " ").trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: `${type()} ${release()}`,
    versions: {
      node: process.versions.node,
      skopeo: versionOf("skopeo", "--version"),
      "docker-registry": versionOf("docker-registry", "--version"),
      openssl: versionOf("openssl", "version"),
      ...Object.fromEntries(["cacache", "lmdb", "libsql"].map((name) => [name, packageVersion(name)])),
    },
  };
}

/** Returns the type of the file system of `folder`, as `stat` names it. */
export function fileSystemOf(folder: string): string {
  const { stdout } = spawnSync("stat", ["-f", "-c", "%T", folder], { encoding: "utf8" });
  return stdout?.trim() || "unknown";
}

function versionOf(program: string, flag: string): string {
  const { stdout } = spawnSync(program, [flag], { encoding: "utf8" });
  return /\d+\.\d+[\w.+~-]*/.exec(stdout ?? "")?.[0] ?? "not installed";
}

/** Not `require("NAME/package.json")`: some packages do not export it. */
function packageVersion(name: string): string {
  const resolve = createRequire(import.meta.url).resolve;
  const entry = resolve(name);
  const folder = entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`) + `/node_modules/${name}/`.length);
  const manifest: unknown = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
