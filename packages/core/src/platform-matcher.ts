import type { Platform } from "./descriptor.js";
import { normalizePlatform } from "./platform.js";
import { parseWindowsVersion, runsOnWindows } from "./windows-version.js";

type Machine = Pick<Platform, "architecture" | "variant">;

/**
 * Which platforms run on a wanted one, and which of them fits best. As containerd has it: an arm/v7 runs v6 and v5, an arm64 also
 * what is for 32 bits, an amd64/v3 what is for v2 and below and for 386; a Windows of a version runs its own build, and from Windows
 * Server 2022 on those back to the release before.
 */
export class PlatformMatcher {
  readonly #wanted: Platform;
  /** The best first. */
  readonly #machines: readonly Machine[];

  constructor(wanted: Platform) {
    this.#wanted = normalizePlatform(wanted);
    this.#machines = machinesFor(this.#wanted);
  }

  matches(offered: Platform): boolean {
    return this.#rank(normalizePlatform(offered)) >= 0;
  }

  /** Negative where `one` fits better than `other`, and 0 where either will do. Both have to match. */
  compare(one: Platform, other: Platform): number {
    const [a, b] = [normalizePlatform(one), normalizePlatform(other)];
    return this.#rank(a) - this.#rank(b) || this.#compareVersions(a, b) || featureCount(b) - featureCount(a);
  }

  /** Whether it was made for the very architecture, in whatever variant. */
  isSameArchitecture(offered: Platform): boolean {
    return normalizePlatform(offered).architecture === this.#wanted.architecture;
  }

  /** The place among the machines that will do, from 0; -1 where it will not do. */
  #rank(offered: Platform): number {
    if (offered.os !== this.#wanted.os || !this.#hasVersion(offered) || !this.#hasFeatures(offered)) return -1;
    return this.#machines.findIndex(
      ({ architecture, variant }) => architecture === offered.architecture && variant === offered.variant,
    );
  }

  #hasVersion(offered: Platform): boolean {
    const [wanted, version] = [this.#wanted["os.version"], offered["os.version"]];
    if (!wanted || !version) return true;
    if (this.#wanted.os === "windows") return runsOnWindows(wanted, version);
    return version === wanted || version.startsWith(`${wanted}.`);
  }

  /** What an image needs has to be wanted. That a Windows has a desktop (`win32k`) never kept one from another. */
  #hasFeatures(offered: Platform): boolean {
    const wanted = this.#wanted["os.features"] ?? [];
    const isGiven = (feature: string) =>
      feature === "" || wanted.includes(feature) || (offered.os === "windows" && feature === "win32k");
    return (offered["os.features"] ?? []).every(isGiven);
  }

  /** The very version, then the very build, then the newest; where none is wanted, all are alike. */
  #compareVersions(one: Platform, other: Platform): number {
    const wanted = this.#wanted["os.version"];
    if (!wanted) return 0;
    const distance = ({ "os.version": version = "" }: Platform) => {
      if (version === wanted) return 0;
      return sameBuild(version, wanted) ? 1 : version === "" ? 3 : 2;
    };
    return distance(one) - distance(other) || newerFirst(one["os.version"] ?? "", other["os.version"] ?? "");
  }
}

function featureCount(platform: Platform): number {
  return new Set(platform["os.features"] ?? []).size;
}

function sameBuild(one: string, other: string): boolean {
  const [a, b] = [parseWindowsVersion(one), parseWindowsVersion(other)];
  return a !== undefined && b !== undefined && a.major === b.major && a.minor === b.minor && a.build === b.build;
}

function newerFirst(one: string, other: string): number {
  return other.localeCompare(one, "en", { numeric: true });
}

/** What runs on a machine, itself first. */
function machinesFor({ architecture, variant }: Platform): readonly Machine[] {
  const own = { architecture, ...(variant === undefined ? {} : { variant }) };
  switch (architecture) {
    case "amd64":
      return [own, ...below(architecture, versionOf(variant), 1), { architecture: "386" }];
    case "arm":
      return [own, ...below(architecture, versionOf(variant), 5)];
    case "arm64":
      return [...arm64(own), { architecture: "arm", variant: "v8" }, ...below("arm", 8, 5)];
    default:
      return [own];
  }
}

/** The versions under `version`, down to `last`. */
function below(architecture: string, version: number, last: number): Machine[] {
  const machines: Machine[] = [];
  for (let next = version - 1; next >= last; next--) {
    const { variant } = normalizePlatform({ os: "", architecture, variant: `v${next}` });
    machines.push({ architecture, ...(variant === undefined ? {} : { variant }) });
  }
  return machines;
}

/** Arm's architectures: v9.n has all of v8.(n+5), and there is no v8.10. */
function arm64(own: Machine): Machine[] {
  const [, major, minor = "0"] = /^v([89])(?:\.(\d))?$/.exec(own.variant ?? "v8") ?? [];
  if (major === undefined) return [own];
  const minors = (version: 8 | 9, first: number) =>
    Array.from({ length: first + 1 }, (_, at): Machine => {
      const variant = first === at ? `v${version}` : `v${version}.${first - at}`;
      return variant === "v8" ? { architecture: "arm64" } : { architecture: "arm64", variant };
    });
  if (major === "8") return minors(8, Number(minor));
  return [...minors(9, Number(minor)), ...minors(8, Math.min(9, Number(minor) + 5))];
}

function versionOf(variant = ""): number {
  const [, version] = /^v(\d)$/.exec(variant) ?? [];
  return version === undefined ? 0 : Number(version);
}
