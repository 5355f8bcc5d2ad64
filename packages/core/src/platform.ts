import type { Platform } from "./descriptor.js";

/** Values of GOOS and GOARCH, which distinguish specifiers of one word. */
const systems = words(
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos",
);
const architectures = words(
  "386 amd64 arm arm64 arm64be armbe loong64 mips mips64 mips64le mips64p32 mips64p32le mipsle ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm",
);

export interface ParsePlatformOptions {
  /** Completes a specifier of one word. Default: the platform of this process. */
  readonly local?: Platform | undefined;
}

/**
 * Parses a platform specifier of containerd and Docker: `OS[(VERSION[+FEATURE…])]/ARCHITECTURE[/VARIANT]`, or only an operating system or
 * architecture. Aliases such as `x86_64` or `macOS` are normalized.
 * @throws TypeError
 */
export function parsePlatform(text: string, { local = localPlatform() }: ParsePlatformOptions = {}): Platform {
  const [first = "", second, third, ...rest] = text.split("/");
  const system = /^([\w-]+)(?:\(([\w.%-]*)((?:\+[\w.%-]+)*)\))?$/.exec(first);
  const isArchitecture = [second, third].every((part) => part === undefined || /^[\w.-]+$/.test(part));
  if (system === null || rest.length > 0 || !isArchitecture) throw invalidPlatform(text);
  const [, name = "", version = "", features = ""] = system;
  const os = {
    os: normalizeOs(name),
    ...(version === "" ? {} : { "os.version": decoded(version, text) }),
    ...(features === ""
      ? {}
      : {
          "os.features": sortedUnique(
            features
              .slice(1)
              .split("+")
              .map((one) => decoded(one, text)),
          ),
        }),
  };
  if (second !== undefined) return { ...os, ...parseArchitecture(second, third) };
  if (systems.has(os.os)) return { ...os, ...architectureOf(local) };
  const architecture = parseArchitecture(first);
  if (architectures.has(architecture.architecture)) return { os: normalizeOs(local.os), ...architecture };
  throw invalidPlatform(text);
}

/** Formats a platform for `parsePlatform`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  const version = encoded(platform["os.version"] ?? "");
  const features = sortedUnique(platform["os.features"] ?? []).map((feature) => `+${encoded(feature)}`);
  const details = version + features.join("");
  const system = details === "" ? os : `${os}(${details})`;
  return [system, architecture, variant].filter(Boolean).join("/");
}

/** Normalizes names to those of the image specification. Default variants are removed, except for `arm`, where they are added. */
export function normalizePlatform(platform: Platform): Platform {
  const { os, architecture, variant: _, ...rest } = platform;
  return { ...rest, os: normalizeOs(os), ...normalizeArchitecture(architecture, platform.variant) };
}

export function localPlatform(): Platform {
  const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  const names: Readonly<Record<string, string>> = {
    x64: "amd64",
    ia32: "386",
    mipsel: "mipsle",
    ppc64: isLittleEndian ? "ppc64le" : "ppc64",
    win32: "windows",
    sunos: "solaris",
  };
  const architecture = names[process.arch] ?? process.arch;
  const version = process.arch === "arm" ? armVersion(process.config.variables) : undefined;
  return {
    os: names[process.platform] ?? process.platform,
    architecture,
    ...(version === undefined || version === "7" ? {} : { variant: `v${version}` }),
  };
}

function armVersion(variables: object): string | undefined {
  return "arm_version" in variables ? String(variables.arm_version) : undefined;
}

/** Normalizes an architecture, but neither adds v7 to `arm` nor removes v8 from `arm64/v8`. */
function parseArchitecture(architecture: string, variant?: string): Pick<Platform, "architecture" | "variant"> {
  const normal = normalizeArchitecture(architecture, variant);
  if (variant === undefined && normal.architecture === "arm" && normal.variant === "v7") return { architecture: "arm" };
  if (variant !== undefined && normal.architecture === "arm64" && normal.variant === undefined)
    return { ...normal, variant: "v8" };
  return normal;
}

function architectureOf({ architecture, variant }: Platform): Pick<Platform, "architecture" | "variant"> {
  return { architecture, ...(variant === undefined ? {} : { variant }) };
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "macos" ? "darwin" : lower;
}

const aliases: Readonly<Record<string, string>> = {
  i386: "386",
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
};
const defaultVariants: Readonly<Record<string, readonly string[]>> = { amd64: ["v1"], arm64: ["8", "v8", "v8.0"] };

function normalizeArchitecture(architecture: string, variant = ""): Pick<Platform, "architecture" | "variant"> {
  const lower = architecture.toLowerCase();
  if (lower === "armhf") return { architecture: "arm", variant: "v7" };
  if (lower === "armel") return { architecture: "arm", variant: "v6" };
  if (lower === "i386") return { architecture: "386" };
  const normal = Object.hasOwn(aliases, lower) ? (aliases[lower] ?? lower) : lower;
  const found = normalizeVariant(normal, variant.toLowerCase());
  return { architecture: normal, ...(found === "" ? {} : { variant: found }) };
}

function normalizeVariant(architecture: string, variant: string): string {
  if (defaultVariants[architecture]?.includes(variant)) return "";
  if (architecture === "arm64" && /^(?:v?9\.0|9)$/.test(variant)) return "v9";
  if (architecture === "arm" && variant === "") return "v7";
  if (architecture === "arm" && /^[5-8]$/.test(variant)) return `v${variant}`;
  return variant;
}

/** Returns the features sorted and without duplicates. */
function sortedUnique(features: readonly string[]): string[] {
  return [...new Set(features)].filter((feature) => feature !== "").sort();
}

function encoded(option: string): string {
  return option.replace(/[%+()/]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decoded(option: string, text: string): string {
  try {
    return decodeURIComponent(option);
  } catch {
    throw invalidPlatform(text);
  }
}

function invalidPlatform(text: string): TypeError {
  return new TypeError(
    `${JSON.stringify(text)} is not a valid platform; use OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64 or windows(10.0.20348)/amd64`,
  );
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}
