import { isDockerHub } from "../http/hosts.js";

/** The registry, or part of one, that a key of `auths` or `credHelpers` names. */
interface AuthKey {
  /** The same for all names of a registry. */
  readonly host: string;
  /** Empty for the complete registry, else a repository or a prefix of one. */
  readonly path: string;
}

/** Parses a key like docker and podman: a URL means its host; without a scheme, a path names repositories, except `/v1/` and `/v2/`. */
function readAuthKey(key: string): AuthKey {
  const [, scheme, rest = ""] = /^(?:(https?):\/\/)?(.*)$/is.exec(key.trim()) ?? [];
  const slash = rest.indexOf("/");
  const host = canonicalName(slash < 0 ? rest : rest.slice(0, slash), scheme?.toLowerCase());
  const path = slash < 0 || scheme !== undefined ? "" : rest.slice(slash + 1).replace(/\/+$/, "");
  return { host, path: /^v[12]$/.test(path) ? "" : path };
}

/** Returns whether the key covers all of the registry. */
export function isKeyOf(key: string, registry: string): boolean {
  const { host, path } = readAuthKey(key);
  return path === "" && host === canonicalName(registry);
}

/** Normalizes the names of Docker Hub, and drops a default port. */
function canonicalName(host: string, scheme = "https"): string {
  const name = host.toLowerCase().replace(scheme === "http" ? /:80$/ : /:443$/, "");
  return isDockerHub(name) ? "docker.io" : name;
}

/** Docker Hub's names; the last is the one `docker login` writes. */
function registryNames(registry: string): readonly string[] {
  return isDockerHub(registry)
    ? ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"]
    : [registry];
}

/** The key that a registry is stored under. */
export function storedName(registry: string): string {
  return registryNames(registry).at(-1) ?? registry;
}

/** Names a credential helper may know the registry by, the most usual first. */
export function helperNames(registry: string): readonly string[] {
  return [...registryNames(registry)].reverse();
}

/** Returns the entries that apply to the repository: the longest path first, and of equal paths the key spelled like `registry`. */
export function entriesFor(
  entries: Readonly<Record<string, unknown>>,
  registry: string,
  repository?: string,
): (readonly [key: string, value: unknown])[] {
  const host = canonicalName(registry);
  const names = registryNames(registry);
  return Object.entries(entries)
    .map(([key, value]) => ({ key, value, ...readAuthKey(key) }))
    .filter((entry) => entry.host === host && isWithin(repository, entry.path))
    .sort((a, b) => b.path.length - a.path.length || rank(a.key) - rank(b.key))
    .map(({ key, value }) => [key, value] as const);

  function rank(key: string): number {
    const at = names.findIndex((name) => key === name || key.startsWith(`${name}/`));
    return at < 0 ? names.length : at;
  }
}

function isWithin(repository: string | undefined, path: string): boolean {
  return path === "" || repository === path || repository?.startsWith(`${path}/`) === true;
}
