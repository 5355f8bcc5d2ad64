import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { isInstalled } from "@mote/testbed";

const run = promisify(execFile);

/** A tool that copies an image from a registry into an OCI layout. */
export interface RegistryTool {
  /** With its version. */
  readonly name: string;
  /** Copies `HOST/REPOSITORY:1` into a layout that does not exist yet. */
  pull(image: string, layout: string): Promise<void>;
}

interface KnownTool {
  readonly version: readonly string[];
  command(image: string, layout: string): readonly string[];
}

const known: Readonly<Record<string, KnownTool>> = {
  skopeo: {
    version: ["--version"],
    command: (image, layout) => [
      ...["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"],
      ...[`docker://${image}`, `oci:${layout}:1`],
    ],
  },
  crane: {
    version: ["version"],
    command: (image, layout) => ["pull", "--insecure", "--format=oci", image, layout],
  },
  oras: {
    version: ["version"],
    command: (image, layout) => ["copy", "--no-tty", "--from-plain-http", "--to-oci-layout", image, `${layout}:1`],
  },
  regctl: {
    version: ["version"],
    command: (image, layout) => [
      ...["--verbosity=error", "--host", `reg=${image.split("/", 1)},tls=disabled`],
      ...["image", "copy", image, `ocidir://${layout}:1`],
    ],
  },
};

/** Returns the tools in the PATH: Debian has skopeo, the others are built from their Go modules. */
export function installedTools(): readonly RegistryTool[] {
  return Object.entries(known).flatMap(([program, { version, command }]): RegistryTool[] => {
    if (!isInstalled(program)) return [];
    const name = `${program} ${versionOf(program, version)}`;
    return [{ name, pull: async (image, layout) => void (await run(program, command(image, layout))) }];
  });
}

function versionOf(program: string, flags: readonly string[]): string {
  const { stdout } = spawnSync(program, flags, { encoding: "utf8" });
  return /\d+\.\d+[\w.+~-]*/.exec(stdout)?.[0] ?? "of unknown version";
}
