import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pageReferrers, type RegistryKind, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { type OpenMote, openMote } from "../../src/index.js";

/** One simulated registry, beside one that does as the specification says, and a folder for mote's files. */
export interface Bench extends AsyncDisposable {
  readonly registry: SimulatedRegistry;
  readonly source: SimulatedRegistry;
  readonly root: string;
  /** Another mote in the same cache folder, as a later command has it. Whoever opens it closes it. */
  open(): Promise<OpenMote>;
  /** `docker://HOST/PATH` */
  at(path: string): string;
  /** As if somebody had logged in before. */
  logIn(): void;
}

/** Where logins are, for the whole test file: the benches run side by side, and each has a host of its own. */
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
    // `mote login` writes the other file, so nothing comes between reading this one and writing it.
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
    // Nothing here outlives a power cut.
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

/** A port that was another bench's still has that one's logins, which `mote login` stored for this host, too. */
async function startOnNewPort(kind: RegistryKind): Promise<SimulatedRegistry> {
  const registry = await startSimulatedRegistry(kind);
  if (!hosts.has(registry.host)) {
    hosts.add(registry.host);
    return registry;
  }
  // Closed after the other has its port, so that it gets another.
  await using _registry = registry;
  return await startOnNewPort(kind);
}
