import type { Ref, RegistryRef } from "@mote/core";
import { DEFAULT_REGISTRY, isAlgorithm, isHost, LIBRARY } from "./registry-ref.js";
import { knownTransports, type TransportTable } from "./transport-table.js";
import { selector } from "./transports.js";

export interface FormatRefOptions {
  /** True always includes the transport, false never does. By default it is included if `parseRef` needs it. */
  readonly scheme?: boolean | undefined;
  /** Whether to omit `docker.io/` and `library/`, unless `parseRef` needs them. */
  readonly short?: boolean | undefined;
  /** Default: `knownTransports`. */
  readonly transports?: TransportTable | undefined;
}

/** Formats a parsed reference canonically. Unless `scheme` is false, `parseRef` of the result returns the same reference. */
export function formatRef(ref: Ref, options: FormatRefOptions = {}): string {
  const { scheme, short = false, transports = knownTransports } = options;
  if (ref.transport !== "docker") {
    const row = transports.of(ref);
    return `${scheme === false ? "" : row.prefix}${row.format(ref)}`;
  }
  const prefix = scheme === false ? "" : registryPrefix(ref, scheme === true, transports);
  const mayShorten = short && !prefix.startsWith("http");
  const name = mayShorten ? shortName(ref, prefix === "", transports) : `${ref.registry}/${ref.repository}`;
  return prefix + name + selector(ref);
}

function registryPrefix(ref: RegistryRef, always: boolean, transports: TransportTable): string {
  if (ref.scheme !== undefined) return `${ref.scheme}://`;
  return always || isTransport(ref.registry.split(":", 1)[0], transports) ? "docker://" : "";
}

function shortName(
  { registry, repository }: RegistryRef,
  avoidTransports: boolean,
  transports: TransportTable,
): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const slash = repository.indexOf("/");
  if (slash > 0 && isHost(repository.slice(0, slash))) return `${registry}/${repository}`;
  const rest = repository.slice(LIBRARY.length);
  const isOfficial = repository.startsWith(LIBRARY) && !rest.includes("/");
  const isAmbiguous = isAlgorithm(rest) || (avoidTransports && isTransport(rest, transports));
  return isOfficial && !isAmbiguous ? rest : repository;
}

/** Returns whether a name followed by a colon is parsed as a transport. */
function isTransport(name: string | undefined, transports: TransportTable): boolean {
  return name !== undefined && transports.find(name)?.prefix === `${name}:`;
}
