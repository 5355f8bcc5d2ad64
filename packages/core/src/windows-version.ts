export interface WindowsVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** Builds of the long-term releases of Windows Server that run containers of the previous release: 2022, 2025. */
const longTermBuilds = [20348, 26100];

/** Parses a version such as `10.0.20348`, with an optional revision. Returns undefined for other text. */
export function parseWindowsVersion(text: string): WindowsVersion | undefined {
  const [, major, minor, build] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(text) ?? [];
  if (major === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), build: Number(build) };
}

/**
 * Returns whether Windows of version `host` runs containers of version `container`: those of the same build, and from Windows Server 2022 on
 * also older ones back to the previous long-term release (Microsoft, "Windows container version compatibility"). A host version without a
 * build is compared as a prefix.
 */
export function runsOnWindows(host: string, container: string): boolean {
  const [own, other] = [parseWindowsVersion(host), parseWindowsVersion(container)];
  if (own === undefined) return container === host || container.startsWith(`${host}.`);
  if (other === undefined || own.major !== other.major || own.minor !== other.minor) return false;
  const first = longTermBuilds[0] ?? own.build;
  if (own.build < first) return own.build === other.build;
  const oldest = longTermBuilds.findLast((build) => build < own.build) ?? first;
  return oldest <= other.build && other.build <= own.build;
}
