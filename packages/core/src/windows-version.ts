export interface WindowsVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** Builds of Windows Server's long-term releases that run containers of the release before, in their order: 2022, 2025. */
const longTermBuilds = [20348, 26100];

/** `10.0.20348`, with or without a revision behind it. Undefined for anything else. */
export function parseWindowsVersion(text: string): WindowsVersion | undefined {
  const [, major, minor, build] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(text) ?? [];
  if (major === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), build: Number(build) };
}

/**
 * Whether a Windows of version `host` runs containers of version `container`: the same build, whatever the revision; from Windows
 * Server 2022 on also older ones, back to the long-term release before (Microsoft, "Windows container version compatibility").
 * A host's version that is shorter than a build says nothing, and so excludes nothing but versions that do not begin with it.
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
