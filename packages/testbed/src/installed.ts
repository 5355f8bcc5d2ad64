import { spawnSync } from "node:child_process";

/** The Debian package of each program that tests start. */
const packageOf: Readonly<Record<string, string>> = {
  age: "age",
  ceph: "ceph-common",
  "ceph-mon": "ceph-mon",
  "ceph-osd": "ceph-osd",
  containerd: "containerd",
  ctr: "containerd",
  "docker-registry": "docker-registry",
  htpasswd: "apache2-utils",
  openssl: "openssl",
  podman: "podman",
  radosgw: "radosgw",
  "redis-server": "redis-server",
  script: "bsdutils",
  skopeo: "skopeo",
  strace: "strace",
  "systemd-analyze": "systemd",
};

/** How to install each program that is not in Debian. */
const instructionOf: Readonly<Record<string, string>> = {
  buildctl: "install BuildKit",
  buildkitd: "install BuildKit",
  crane: "go install github.com/google/go-containerregistry/cmd/crane@latest",
  oras: "go install oras.land/oras/cmd/oras@latest",
  regctl: "go install github.com/regclient/regclient/cmd/regctl@latest",
  "tar-diff": "go install github.com/containers/tar-diff/cmd/tar-diff@v0.1.2",
  "tar-patch": "go install github.com/containers/tar-diff/cmd/tar-patch@v0.1.2",
};

export function isInstalled(program: string): boolean {
  return spawnSync("which", [program]).status === 0;
}

/** Returns a suffix for a test's title that says what to install, or an empty string if all programs are installed. */
export function needs(...programs: readonly string[]): string {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return "";
  const packages = missing.flatMap((program) => (program in instructionOf ? [] : (packageOf[program] ?? program)));
  const instructions = new Set(missing.flatMap((program) => instructionOf[program] ?? []));
  const debian = packages.length === 0 ? [] : [`apt-get install ${packages.join(" ")}`];
  return ` (SKIPPED: ${[...debian, ...instructions].join("; ")})`;
}
