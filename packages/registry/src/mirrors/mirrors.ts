import { MoteError } from "@mote/core";
import { isDockerHub } from "../http/hosts.js";
import { checkRepositoryName, type RepositoryLocation, registryOrigin } from "../repository-location.js";

/** Endpoints to try before the registry's own, by reference prefix (`HOST` or `HOST/PATH`), each `[http://|https://]HOST[/PATH]`. */
export type Mirrors = Readonly<Record<string, readonly string[]>>;

/** A repository on a mirror. */
export interface MirrorEndpoint extends RepositoryLocation {
  /** The upstream registry, if the mirror serves all of it: sent as `?ns=`, as one mirror may serve several. */
  readonly namespace?: string | undefined;
}

interface Rule {
  readonly registry: string;
  /** The repositories' path; empty for all of them. */
  readonly path: string;
  readonly mirrors: readonly MirrorLocation[];
}

interface MirrorLocation {
  readonly registry: string;
  readonly path: string;
  readonly scheme?: "http" | "https" | undefined;
}

/** The mirrors of repositories. */
export class MirrorTable {
  /** Longest first: only it counts. */
  readonly #rules: readonly Rule[];

  /** @throws MOTE_CONFIG */
  constructor(mirrors: Mirrors = {}) {
    const rules = Object.entries(mirrors).map(([prefix, list]): Rule => {
      const { scheme, registry, path } = readLocation(prefix);
      if (scheme !== undefined) throw misconfigured(prefix, "a prefix of references is written without http or https");
      return { registry, path, mirrors: list.map(readLocation) };
    });
    this.#rules = rules.sort((a, b) => b.path.length - a.path.length);
  }

  /** @throws MOTE_CONFIG if a mirror has no path, and the prefix is the repository itself */
  of(location: RepositoryLocation): readonly MirrorEndpoint[] {
    const registry = ownName(location.registry);
    const { repository } = location;
    const rule = this.#rules.find((one) => one.registry === registry && isBelow(repository, one.path));
    return (rule?.mirrors ?? []).map((mirror) => {
      const rest = rule?.path === "" ? repository : repository.slice((rule?.path.length ?? 0) + 1);
      const name = [mirror.path, rest].filter((part) => part !== "").join("/");
      if (name === "") throw misconfigured(mirror.registry, `a mirror of ${registry}/${repository} needs a path`);
      const standsForAll = rule?.path === "" && mirror.path === "";
      const namespace = standsForAll ? registry : undefined;
      return { registry: mirror.registry, repository: name, scheme: mirror.scheme, namespace };
    });
  }
}

/** Names of a registry's host in references. */
function ownName(registry: string): string {
  return isDockerHub(registry) ? "docker.io" : registry.toLowerCase();
}

function isBelow(repository: string, path: string): boolean {
  return path === "" || repository === path || repository.startsWith(`${path}/`);
}

function readLocation(text: string): MirrorLocation {
  const [, scheme, host = "", path = ""] = /^(?:(https?):\/\/)?([\w.:[\]-]+)(?:\/(.*?))?\/?$/.exec(text) ?? [];
  try {
    registryOrigin({ registry: host }, { plainHttp: { has: () => false } });
    if (path !== "") checkRepositoryName(path);
  } catch {
    throw misconfigured(text, "it is not HOST or HOST/PATH");
  }
  const location = { registry: ownName(host), path };
  return scheme === "http" || scheme === "https" ? { ...location, scheme } : location;
}

/** Invalid text may contain a password, and is not shown. */
function misconfigured(text: string, reason: string): MoteError {
  const shown = /^[\w.:/[\]-]*$/.test(text) ? `"${text.slice(0, 80)}"` : "one of them";
  return new MoteError("MOTE_CONFIG", `the mirrors are misconfigured at ${shown}: ${reason}`, {
    details: { setting: "mirrors", reason },
  });
}
