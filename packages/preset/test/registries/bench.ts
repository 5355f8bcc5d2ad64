import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pageReferrers, type RegistryKind, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { type OpenMote, openMote } from "../../src/index.js";

/** A simulated registry, another one that follows the specification, and a directory for mote's files. */
export interface Bench extends AsyncDisposable {
  readonly registry: SimulatedRegistry;
  readonly source: SimulatedRegistry;
  readonly root: string;
  /** Opens another mote over the same cache, as a later command does. The caller closes it. */
  open(): Promise<OpenMote>;
  /** `docker://HOST/PATH` */
  at(path: string): string;
  /** Stores the credentials, as `mote login` does. */
  logIn(): void;
}

/** The credentials of all registries, which run concurrently on separate hosts. */
export interface Logins extends AsyncDisposable {
  readonly root: string;
  add(host: string, login: { readonly username: string; readonly password: string }): void;
}

export async function useOwnLogins(): Promise<Logins> {
  const root = await mkdtemp(join(tmpdir(), "mote-bench-"));
  const kept = process.env;
  process.env = { ...kept, REGISTRY_AUTH_FILE: join(root, "auth.json"), DOCKER_CONFIG: join(root, "docker") };
  for (const proxy of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) {
    delete process.env[proxy];
    delete process.env[proxy.toLowerCase()];
  }
  const file = join(root, "docker", "config.json");
  mkdirSync(join(root, "docker"));
  writeFileSync(file, JSON.stringify({ auths: {} }));
  return {
    root,
    // `mote login` writes the other file, so this one does not change between read and write.
    add(host, { username, password }) {
      const { auths } = JSON.parse(readFileSync(file, "utf8"));
      const auth = Buffer.from(`${username}:${password}`).toString("base64");
      writeFileSync(`${file}.new`, JSON.stringify({ auths: { ...auths, [host]: { auth } } }));
      renameSync(`${file}.new`, file);
    },
    async [Symbol.asyncDispose]() {
      process.env = kept;
      await rm(root, { recursive: true, force: true });
    },
  };
}

const plain: RegistryKind = {
  name: "as specified",
  behaviours: [
    pageReferrers({
      name: "Referrers come in pages of one",
      source: "https://github.com/google/go-containerregistry/pull/2446",
      size: 1,
    }),
  ],
  lacks: {},
};

export async function openBench(kind: RegistryKind, logins: Logins): Promise<Bench> {
  const root = await mkdtemp(join(logins.root, "case-"));
  const [registry, source] = await Promise.all([startOnNewPort(kind), startSimulatedRegistry(plain)]);
  return {
    registry,
    source,
    root,
    // Nothing here needs to survive a power failure.
    open: () => openMote({ dir: join(root, "cache"), durability: "visible" }),
    at: (path) => `docker://${registry.host}/${path}`,
    logIn() {
      if (kind.login !== undefined) logins.add(registry.host, kind.login);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([registry[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
    },
  };
}

const hosts = new Set<string>();

/** Starts the registry on a new port, because a used port still has the credentials of another registry. */
async function startOnNewPort(kind: RegistryKind): Promise<SimulatedRegistry> {
  const registry = await startSimulatedRegistry(kind);
  if (!hosts.has(registry.host)) {
    hosts.add(registry.host);
    return registry;
  }
  // Closed after the other one has a port, so that it gets another port.
  await using _registry = registry;
  return await startOnNewPort(kind);
}
