import { isRepositoryPath, type UpstreamRepository } from "@mote/core";

/** How an upstream registry is named. */
export interface UpstreamName {
  /** As in references: `docker.io`, `ghcr.io`, `127.0.0.1:5000`. */
  readonly name: string;
  /** Other names of the same registry. */
  readonly aliases?: readonly string[] | undefined;
  /** Put before a path of one component, as Docker Hub's `library`. */
  readonly implicitNamespace?: string | undefined;
}

/** Which upstream a request selects. The table is closed: a client cannot name a host to connect to. */
export class UpstreamTable {
  readonly #byName = new Map<string, UpstreamName>();
  readonly #default: UpstreamName | undefined;

  /**
   * `defaultName`: the upstream of requests that name none. Default: the only one. `"none"`: such requests mean local content.
   *
   * @throws TypeError for a name that occurs twice, or a default that is not in the table
   */
  constructor(upstreams: readonly UpstreamName[], defaultName?: string) {
    for (const upstream of upstreams) {
      for (const name of [upstream.name, ...(upstream.aliases ?? [])]) {
        if (this.#byName.has(name)) throw new TypeError(`the upstream ${name} is given twice`);
        this.#byName.set(name, upstream);
      }
    }
    if (defaultName === "none") return;
    this.#default = defaultName === undefined ? onlyOne(upstreams) : this.#byName.get(defaultName);
    if (defaultName !== undefined && this.#default === undefined) {
      throw new TypeError(`the default ${defaultName} is not an upstream`);
    }
  }

  repository(name: string, namespace?: string): UpstreamRepository | undefined {
    if (namespace !== undefined) return repositoryOf(this.#byName.get(namespace), name);
    const slash = name.indexOf("/");
    const named = slash < 0 ? undefined : this.#byName.get(name.slice(0, slash));
    return named === undefined ? repositoryOf(this.#default, name) : repositoryOf(named, name.slice(slash + 1));
  }
}

function onlyOne<Item>(items: readonly Item[]): Item | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function repositoryOf(upstream: UpstreamName | undefined, name: string): UpstreamRepository | undefined {
  if (upstream === undefined || !isRepositoryPath(name)) return undefined;
  const { implicitNamespace } = upstream;
  const path = implicitNamespace === undefined || name.includes("/") ? name : `${implicitNamespace}/${name}`;
  return { upstream: upstream.name, path, full: `${upstream.name}/${path}` };
}
