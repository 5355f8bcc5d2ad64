import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RegistryKind, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { type OpenMote, openMote } from "../../src/index.js";

/** One simulated registry, beside one that does as the specification says, and a folder for mote's files. */
export interface Bench extends AsyncDisposable {
  readonly registry: SimulatedRegistry;
  readonly source: SimulatedRegistry;
  readonly root: string;
  readonly authFile: string;
  /** Another mote in the same cache folder, as a later command has it. Whoever opens it closes it. */
  open(): Promise<OpenMote>;
  /** `docker://HOST/PATH` */
  at(path: string): string;
  logIn(): Promise<void>;
}

const plain: RegistryKind = { name: "as specified", behaviours: [], lacks: {} };

export async function openBench(kind: RegistryKind): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "mote-bench-"));
  const authFile = join(root, "auth.json");
  process.env.REGISTRY_AUTH_FILE = authFile;
  process.env.DOCKER_CONFIG = join(root, "docker");
  const [registry, source] = await Promise.all([startSimulatedRegistry(kind), startSimulatedRegistry(plain)]);
  return {
    registry,
    source,
    root,
    authFile,
    open: () => openMote({ dir: join(root, "cache") }),
    at: (path) => `docker://${registry.host}/${path}`,
    async logIn() {
      const { login } = kind;
      if (login === undefined) return;
      const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
      await writeFile(authFile, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([registry[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
      await rm(root, { recursive: true, force: true });
    },
  };
}
