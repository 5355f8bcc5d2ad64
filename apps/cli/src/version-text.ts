/** Returns the versions of mote and Node, and the platform. The version of mote is the first word. */
export function versionText(): string {
  return `${MOTE_VERSION} (Node ${process.versions.node}, ${process.platform} ${process.arch})`;
}
