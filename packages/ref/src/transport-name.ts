import { knownTransports, type TransportTable } from "./transport-table.js";

/**
 * Returns the transport under which a location is recorded. `dir`, `docker-archive`, `oci-archive`, `tarball` and added transports have their own
 * names; all other texts, with or without a transport, are recorded as `oci`.
 */
export function transportFromImageName(
  text: string,
  { transports = knownTransports }: { readonly transports?: TransportTable | undefined } = {},
): string {
  return transports.find(text.slice(0, Math.max(0, text.indexOf(":"))))?.recordedAs ?? "oci";
}
