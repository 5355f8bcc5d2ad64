import { isDockerHub } from "../http/hosts.js";

/** What a key of `auths` or `credHelpers` stands for: a registry, or a part of one. */
interface AuthKey {
  /** In one spelling for all names of a registry. */
  readonly host: string;
  /** Empty for all of the registry, else a repository or the beginning of one. */
  readonly path: string;
}

/** Reads a key as docker and podman do: one with a scheme stands for its host; in one without, a path is that of repositories, but `/v1/` and `/v2/`. */
function readAuthKey(key: string): AuthKey {
  const [, scheme, rest = ""] = /^(?:(https?):\/\/)?(.*)$/is.exec(key.trim()) ?? [];
  const slash = rest.indexOf("/");
  const host = canonicalName(slash < 0 ? rest : rest.slice(0, slash), scheme?.toLowerCase());
  const path = slash < 0 || scheme !== undefined ? "" : rest.slice(slash + 1).replace(/\/+$/, "");
  return { host, path: /^v[12]$/.test(path) ? "" : path };
}

/** Whether the key stands for all of the registry. */
export function isKeyOf(key: string, registry: string): boolean {
  const { host, path } = readAuthKey(key);
  return path === "" && host === canonicalName(registry);
}

/** Docker Hub has several names, and a registry is the same with the port that it has anyway. */
function canonicalName(host: string, scheme = "https"): string {
  const name = host.toLowerCase().replace(scheme === "http" ? /:80$/ : /:443$/, "");
  return isDockerHub(name) ? "docker.io" : name;
}

/** Docker's own registry goes by several names; the last is what `docker login` writes. */
function registryNames(registry: string): readonly string[] {
  return isDockerHub(registry)
    ? ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"]
    : [registry];
}

/** The name that a registry is stored under. */
export function storedName(registry: string): string {
  return registryNames(registry).at(-1) ?? registry;
}

/** What a credential helper may know the registry as, the most usual name first. */
export function helperNames(registry: string): readonly string[] {
  return [...registryNames(registry)].reverse();
}

/** Returns the entries that apply to the repository: the longest path first, and of those with one path the key in the spelling of `registry`. */
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
