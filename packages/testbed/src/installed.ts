import { spawnSync } from "node:child_process";

/** The Debian package of each program that tests start. */
const packageOf: Readonly<Record<string, string>> = {
  "docker-registry": "docker-registry",
  htpasswd: "apache2-utils",
  openssl: "openssl",
  script: "bsdutils",
  skopeo: "skopeo",
  strace: "strace",
};

export function isInstalled(program: string): boolean {
  return spawnSync("which", [program]).status === 0;
}

/** Returns a suffix for a test's title that says what to install, or an empty string if all programs are installed. */
export function needs(...programs: readonly string[]): string {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return "";
  return ` (SKIPPED: apt-get install ${missing.map((program) => packageOf[program] ?? program).join(" ")})`;
}
