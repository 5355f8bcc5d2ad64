import { spawnSync } from "node:child_process";

/** Debian's package for each program that tests start. */
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

/** To put behind a test's name: empty where all programs are there, else what to install. */
export function needs(...programs: readonly string[]): string {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return "";
  return ` (SKIPPED: apt-get install ${missing.map((program) => packageOf[program] ?? program).join(" ")})`;
}
