import type { Ref, RegistryRef } from "@mote/core";
import { DEFAULT_REGISTRY, isAlgorithm, isHost, LIBRARY } from "./registry-ref.js";
import { knownTransports, type TransportTable } from "./transport-table.js";
import { selector } from "./transports.js";

export interface FormatRefOptions {
  /** True writes the transport in front always, false never. By default it stands where the text would be read otherwise without it. */
  readonly scheme?: boolean | undefined;
  /** Leaves out `docker.io/` and `library/` where the text is read as the same without them. */
  readonly short?: boolean | undefined;
  /** Default: the transports that mote knows. */
  readonly transports?: TransportTable | undefined;
}

/** The canonical text of a reference as `parseRef` gives it: unless `scheme` is false, `parseRef` reads it as the same. */
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

function shortName({ registry, repository }: RegistryRef, mindTransports: boolean, transports: TransportTable): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const slash = repository.indexOf("/");
  if (isHost(repository, 0, slash)) return `${registry}/${repository}`;
  const rest = repository.slice(LIBRARY.length);
  const isOfficial = repository.startsWith(LIBRARY) && !rest.includes("/");
  const isMistaken = isAlgorithm(rest) || (mindTransports && isTransport(rest, transports));
  return isOfficial && !isMistaken ? rest : repository;
}

/** Whether a name is read as a transport if a colon follows it. */
function isTransport(name: string | undefined, transports: TransportTable): boolean {
  return name !== undefined && transports.find(name)?.prefix === `${name}:`;
}
