import type { PathRef, Ref, RegistryRef } from "@mote/core";
import { DEFAULT_REGISTRY, isAlgorithm, isHost, LIBRARY } from "./registry-ref.js";

export interface FormatRefOptions {
  /** True writes the transport in front always, false never. By default it stands where the text would be read otherwise without it. */
  readonly scheme?: boolean | undefined;
  /** Leaves out `docker.io/` and `library/` where the text is read as the same without them. */
  readonly short?: boolean | undefined;
}

/** The canonical text of a reference as `parseRef` gives it: unless `scheme` is false, `parseRef` reads it as the same. */
export function formatRef(ref: Ref, options: FormatRefOptions = {}): string {
  return ref.transport === "docker" ? formatRegistryRef(ref, options) : formatPathRef(ref, options);
}

function formatRegistryRef(ref: RegistryRef, { scheme, short = false }: FormatRefOptions): string {
  const prefix = scheme === false ? "" : registryPrefix(ref, scheme === true);
  const mayShorten = short && !prefix.startsWith("http");
  const name = mayShorten ? shortName(ref, prefix === "") : `${ref.registry}/${ref.repository}`;
  return prefix + name + selector(ref);
}

function registryPrefix(ref: RegistryRef, always: boolean): string {
  if (ref.scheme !== undefined) return `${ref.scheme}://`;
  return always || isTransport(ref.registry.split(":", 1)[0]) ? "docker://" : "";
}

function shortName({ registry, repository }: RegistryRef, mindTransports: boolean): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const slash = repository.indexOf("/");
  if (isHost(repository, 0, slash)) return `${registry}/${repository}`;
  const rest = repository.slice(LIBRARY.length);
  const isOfficial = repository.startsWith(LIBRARY) && !rest.includes("/");
  const isMistaken = isAlgorithm(rest) || (mindTransports && isTransport(rest));
  return isOfficial && !isMistaken ? rest : repository;
}

/** Names that, with a colon after them, are read as a transport. */
function isTransport(name: string | undefined): boolean {
  switch (name) {
    case "oci":
    case "oci-archive":
    case "docker-archive":
    case "dir":
    case "tarball":
    case "docker-daemon":
    case "containers-storage":
      return true;
    default:
      return false;
  }
}

function formatPathRef(ref: PathRef, { scheme }: FormatRefOptions): string {
  const prefix = scheme === false ? "" : pathPrefix(ref);
  if (ref.transport === "hash") return prefix + ref.path;
  if (ref.path === "" && ref.digest !== undefined) return prefix + ref.digest;
  return prefix + ref.path + selector(ref);
}

function pathPrefix({ transport }: PathRef): string {
  return transport === "ocidir" || transport === "hash" ? `${transport}://` : `${transport}:`;
}

function selector(ref: { readonly tag?: string; readonly digest?: string; readonly index?: number }): string {
  const tag = ref.tag === undefined ? "" : `:${ref.tag}`;
  const index = ref.index === undefined ? "" : `:@${ref.index}`;
  const digest = ref.digest === undefined ? "" : `@${ref.digest}`;
  return tag + index + digest;
}
