import { knownTransports, type TransportTable } from "./transport-table.js";

/**
 * Returns the kind of location that a text names, for grouping locations that hold the same things: of `TRANSPORT:…`, `dir`,
 * `docker-archive`, `oci-archive`, `tarball` and an added transport give themselves. All else gives `oci`, also a text without transport.
 */
export function transportFromImageName(
  text: string,
  { transports = knownTransports }: { readonly transports?: TransportTable | undefined } = {},
): string {
  return transports.find(text.slice(0, Math.max(0, text.indexOf(":"))))?.recordedAs ?? "oci";
}
