import type { Descriptor, Platform } from "./descriptor.js";
import { normalizePlatform } from "./platform.js";
import { parseWindowsVersion, runsOnWindows } from "./windows-version.js";

type Machine = Pick<Platform, "architecture" | "variant">;

/** Returns the platform of an index entry; undefined if the entry does not name operating system and architecture. */
export function labelOf({ platform }: Pick<Descriptor, "platform">): Platform | undefined {
  return platform?.os && platform.architecture ? platform : undefined;
}

/**
 * Finds the platforms that run on a wanted platform, and the best of them. As in containerd, arm/v7 runs v6 and v5, arm64 also runs 32-bit arm,
 * and amd64/v3 runs lower versions and 386. Windows runs its own build, and from Windows Server 2022 on also that of the previous release.
 */
export class PlatformMatcher {
  readonly #wanted: Platform;
  /** Compatible architectures, the best first. */
  readonly #machines: readonly Machine[];

  constructor(wanted: Platform) {
    this.#wanted = normalizePlatform(wanted);
    this.#machines = machinesFor(this.#wanted);
  }

  matches(offered: Platform): boolean {
    return this.#rank(normalizePlatform(offered)) >= 0;
  }

  /** Compares two matching platforms: negative if `one` fits better than `other`, 0 if both fit equally. */
  compare(one: Platform, other: Platform): number {
    const [a, b] = [normalizePlatform(one), normalizePlatform(other)];
    return this.#rank(a) - this.#rank(b) || this.#compareVersions(a, b) || featureCount(b) - featureCount(a);
  }

  /** Returns the descriptors whose platform matches, the best first. */
  bestFirst(descriptors: readonly Descriptor[]): readonly Descriptor[] {
    const matching = descriptors.flatMap((descriptor) => {
      const platform = labelOf(descriptor);
      return platform !== undefined && this.matches(platform) ? [{ descriptor, platform }] : [];
    });
    matching.sort((one, other) => this.compare(one.platform, other.platform));
    return matching.map(({ descriptor }) => descriptor);
  }

  /** Returns whether the architecture is the wanted one, regardless of the variant. */
  isSameArchitecture(offered: Platform): boolean {
    return normalizePlatform(offered).architecture === this.#wanted.architecture;
  }

  /** Returns the position among the compatible architectures, or -1 if it does not match. */
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

  /** Returns whether all features of an image are wanted. `win32k` of Windows is ignored, as in containerd. */
  #hasFeatures(offered: Platform): boolean {
    const wanted = this.#wanted["os.features"] ?? [];
    const isWanted = (feature: string) =>
      feature === "" || wanted.includes(feature) || (offered.os === "windows" && feature === "win32k");
    return (offered["os.features"] ?? []).every(isWanted);
  }

  /** Prefers the wanted version, then the wanted build, then the newest version. */
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

/** Returns the architectures that run on a machine, its own first. */
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

/** Returns the variants below `version`, down to `last`. */
function below(architecture: string, version: number, last: number): Machine[] {
  const machines: Machine[] = [];
  for (let next = version - 1; next >= last; next--) {
    const { variant } = normalizePlatform({ os: "", architecture, variant: `v${next}` });
    machines.push({ architecture, ...(variant === undefined ? {} : { variant }) });
  }
  return machines;
}

/** Returns the arm64 variants that run on `own`: v9.n includes v8.(n+5), and v8.9 is the last v8. */
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
