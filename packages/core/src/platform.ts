import type { Platform } from "./descriptor.js";

/** GOOS and GOARCH: what a specifier of one word is told apart by. */
const systems = words(
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos",
);
const architectures = words(
  "386 amd64 arm arm64 arm64be armbe loong64 mips mips64 mips64le mips64p32 mips64p32le mipsle ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm",
);

export interface ParsePlatformOptions {
  /** What a specifier of one word is completed from. Default: where this process runs. */
  readonly local?: Platform | undefined;
}

/**
 * Reads a platform as containerd and Docker write it: `OS[(VERSION[+FEATURE…])]/ARCHITECTURE[/VARIANT]`, or an operating system or
 * an architecture alone. Other spellings, such as `x86_64` or `macOS`, become the ones of the image specification.
 * @throws TypeError
 */
export function parsePlatform(text: string, { local = localPlatform() }: ParsePlatformOptions = {}): Platform {
  const [first = "", second, third, ...rest] = text.split("/");
  const system = /^([\w-]+)(?:\(([\w.%-]*)((?:\+[\w.%-]+)*)\))?$/.exec(first);
  const isMachine = [second, third].every((part) => part === undefined || /^[\w.-]+$/.test(part));
  if (system === null || rest.length > 0 || !isMachine) throw malformed(text);
  const [, name = "", version = "", features = ""] = system;
  const os = {
    os: normalOs(name),
    ...(version === "" ? {} : { "os.version": decoded(version, text) }),
    ...(features === ""
      ? {}
      : {
          "os.features": listed(
            features
              .slice(1)
              .split("+")
              .map((one) => decoded(one, text)),
          ),
        }),
  };
  if (second !== undefined) return { ...os, ...writtenArchitecture(second, third) };
  if (systems.has(os.os)) return { ...os, ...architectureOf(local) };
  const architecture = writtenArchitecture(first);
  if (architectures.has(architecture.architecture)) return { os: normalOs(local.os), ...architecture };
  throw malformed(text);
}

/** The platform as `parsePlatform` reads it. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  const version = encoded(platform["os.version"] ?? "");
  const features = listed(platform["os.features"] ?? []).map((feature) => `+${encoded(feature)}`);
  const details = version + features.join("");
  const system = details === "" ? os : `${os}(${details})`;
  return [system, architecture, variant].filter(Boolean).join("/");
}

/** In the spelling of the image specification, with the usual variant left out but for `arm`, whose variant is written out. */
export function normalizePlatform(platform: Platform): Platform {
  const { os, architecture, variant: _, ...rest } = platform;
  return { ...rest, os: normalOs(os), ...normalArchitecture(architecture, platform.variant) };
}

/** Where this process runs. */
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

/** Written for `arm` without a variant is `arm`, though it means v7; `arm64/v8` keeps what was written. */
function writtenArchitecture(architecture: string, variant?: string): Pick<Platform, "architecture" | "variant"> {
  const normal = normalArchitecture(architecture, variant);
  if (variant === undefined && normal.architecture === "arm" && normal.variant === "v7") return { architecture: "arm" };
  if (variant !== undefined && normal.architecture === "arm64" && normal.variant === undefined)
    return { ...normal, variant: "v8" };
  return normal;
}

function architectureOf({ architecture, variant }: Platform): Pick<Platform, "architecture" | "variant"> {
  return { architecture, ...(variant === undefined ? {} : { variant }) };
}

function normalOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "macos" ? "darwin" : lower;
}

const spellings: Readonly<Record<string, string>> = {
  i386: "386",
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
};
const usualVariants: Readonly<Record<string, readonly string[]>> = { amd64: ["v1"], arm64: ["8", "v8", "v8.0"] };

function normalArchitecture(architecture: string, variant = ""): Pick<Platform, "architecture" | "variant"> {
  const lower = architecture.toLowerCase();
  if (lower === "armhf") return { architecture: "arm", variant: "v7" };
  if (lower === "armel") return { architecture: "arm", variant: "v6" };
  if (lower === "i386") return { architecture: "386" };
  const normal = Object.hasOwn(spellings, lower) ? (spellings[lower] ?? lower) : lower;
  const found = normalVariant(normal, variant.toLowerCase());
  return { architecture: normal, ...(found === "" ? {} : { variant: found }) };
}

function normalVariant(architecture: string, variant: string): string {
  if (usualVariants[architecture]?.includes(variant)) return "";
  if (architecture === "arm64" && /^(?:v?9\.0|9)$/.test(variant)) return "v9";
  if (architecture === "arm" && variant === "") return "v7";
  if (architecture === "arm" && /^[5-8]$/.test(variant)) return `v${variant}`;
  return variant;
}

/** Sorted, each once. */
function listed(features: readonly string[]): string[] {
  return [...new Set(features)].filter((feature) => feature !== "").sort();
}

function encoded(option: string): string {
  return option.replace(/[%+()/]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decoded(option: string, text: string): string {
  try {
    return decodeURIComponent(option);
  } catch {
    throw malformed(text);
  }
}

function malformed(text: string): TypeError {
  return new TypeError(
    `${JSON.stringify(text)} is not a platform; write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64 or windows(10.0.20348)/amd64`,
  );
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}
