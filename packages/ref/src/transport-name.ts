/**
 * The kind of place that a text names, for grouping places that hold the same things: of `TRANSPORT:…`, `dir`,
 * `docker-archive`, `oci-archive` and `tarball` give themselves. All else gives `oci`, a text without transport too.
 */
export function transportFromImageName(text: string): string {
  const transport = text.slice(0, Math.max(0, text.indexOf(":")));
  switch (transport) {
    case "dir":
    case "docker-archive":
    case "oci-archive":
    case "tarball":
      return transport;
    default:
      return "oci";
  }
}
