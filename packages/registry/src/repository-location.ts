import { MoteError, type RegistryRef } from "@mote/core";
import { type HostSet, isDockerHub, isLoopback } from "./http/hosts.js";

/** One repository on one registry, as in references. `RegistryRef` is compatible. */
export interface RepositoryLocation {
  /** Host, with any explicit port: `registry.example:5000`, `docker.io`. */
  readonly registry: string;
  /** `library/alpine` */
  readonly repository: string;
  /** Whether to use TLS. Default: except for loopback addresses. */
  readonly scheme?: "http" | "https" | undefined;
}

/** Returns the reference without tag and digest: recorded as the location of blobs, and used to find mounts. */
export function repositoryLocation({ registry, repository, scheme }: RepositoryLocation): RegistryRef {
  return { transport: "docker", registry, repository, ...(scheme === undefined ? {} : { scheme }) };
}

/** Returns the origin of a registry's API, which for `docker.io` is another host. @throws MOTE_INVALID_REFERENCE */
export function registryOrigin(
  location: Omit<RepositoryLocation, "repository">,
  options: { readonly plainHttp: HostSet },
): URL {
  const host = isDockerHub(location.registry) ? "registry-1.docker.io" : location.registry;
  const scheme = location.scheme ?? (options.plainHttp.has(host) || isLoopback(host) ? "http" : "https");
  const text = `${scheme}://${host}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.pathname !== "/" || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw notAHost(location.registry);
  }
  return url;
}

/** Parses a registry as users write it, optionally with `https://`. @throws MOTE_INVALID_REFERENCE */
export function readRegistry(text: string): Omit<RepositoryLocation, "repository"> {
  const [, scheme, host = ""] = /^(?:(https?):\/\/)?([\w.:[\]-]+)(?:\/(?:v[12]\/?)?)?$/i.exec(text) ?? [];
  if (host === "") throw notAHost(text);
  const registry = isDockerHub(host.toLowerCase()) ? "docker.io" : host.toLowerCase();
  registryOrigin({ registry }, { plainHttp: { has: () => false } });
  if (scheme === undefined) return { registry };
  return { registry, scheme: scheme.toLowerCase() === "http" ? "http" : "https" };
}

/** Text that may contain a password is hidden. */
function notAHost(text: string): MoteError {
  const shown = /[@?#]/.test(text) ? "what was written" : `"${text.slice(0, 160)}"`;
  return new MoteError("MOTE_INVALID_REFERENCE", `${shown} is not a valid registry host; write host or host:port`, {
    details: { ...(shown.startsWith('"') ? { text } : {}), position: 0, reason: "not a host" },
  });
}

/** The grammar of repository names (distribution-spec, "Pulling manifests"). It also prevents path traversal. */
const repositoryName = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagName = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** @throws MOTE_INVALID_REFERENCE */
export function checkRepositoryName(repository: string): string {
  if (repository.length <= 255 && repositoryName.test(repository)) return repository;
  throw new MoteError(
    "MOTE_INVALID_REFERENCE",
    `"${repository.slice(0, 80)}" is not a valid repository name; use lower-case letters, digits, and . _ - / between them`,
    { details: { text: repository, position: 0, reason: "not a repository name" } },
  );
}

export function isTagName(text: string): boolean {
  return tagName.test(text);
}
