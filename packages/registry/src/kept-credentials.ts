import type { Cancellable } from "@mote/core";
import {
  type AuthFile,
  changeAuthFile,
  type Environment,
  hostOf,
  isText,
  keptName,
  readAuthFile,
  registryNames,
  usualPaths,
  usualPathToKeep,
} from "./auth-file.js";
import {
  askCredentialHelper,
  eraseWithHelper,
  type HelperOptions,
  helperProgram,
  keepWithHelper,
} from "./credential-helper.js";
import type { Credentials } from "./credentials.js";
import type { DockerCredentialsOptions } from "./docker-credentials.js";

type KeepOptions = DockerCredentialsOptions & Cancellable;

/**
 * Keeps credentials for a registry, named as references name it, where `dockerCredentials` and the tools that share the file find
 * them: in the file that has the registry already, else in `$REGISTRY_AUTH_FILE`, else in Docker's `config.json`; by the credential helper
 * that this file names, where it names one. What else is in the file stays. Answers the file's path, or the program's name.
 * @throws MOTE_CONFIG
 */
export async function saveCredentials(
  registry: string,
  credentials: Credentials,
  options: KeepOptions = {},
): Promise<string> {
  const { signal } = options;
  const { paths, path, helping } = settings(options);
  const files = await Promise.all(paths.map(readAuthFile));
  const file = files.find((one) => one !== undefined && names(one, registry)) ?? (await readAuthFile(path));
  const helper = file && helperFor(file, registry);
  if (helper !== undefined) {
    await keepWithHelper(helper.name, helper.server, credentials, helping);
    // What the file has in plain would be found first.
    if (file !== undefined) await dropEntries(file.path, registry, options);
    return helperProgram(helper.name);
  }
  const written = file?.path ?? path;
  const add = (now: AuthFile | undefined) => {
    const auths = { ...Object.fromEntries(otherEntries(now, registry)), [keptName(registry)]: entryOf(credentials) };
    return { ...now?.whole, auths };
  };
  await changeAuthFile(written, add, { signal });
  return written;
}

/** Forgets what is kept for the whole of a registry, everywhere. Answers the files and programs that had something. @throws MOTE_CONFIG */
export async function eraseCredentials(registry: string, options: KeepOptions = {}): Promise<string[]> {
  const { paths, helping } = settings(options);
  const erased: string[] = [];
  for (const path of paths) {
    const file = await readAuthFile(path);
    if (file === undefined) continue;
    const helper = helperFor(file, registry);
    if (helper !== undefined && (await askCredentialHelper(helper.name, helper.server, helping)) !== undefined) {
      await eraseWithHelper(helper.name, helper.server, helping);
      erased.push(helperProgram(helper.name));
    }
    if (await dropEntries(path, registry, options)) erased.push(path);
  }
  return erased;
}

function settings(options: KeepOptions): {
  readonly paths: readonly string[];
  /** Of the file to begin, where the registry is in none. */
  readonly path: string;
  readonly helping: HelperOptions;
} {
  const { env = process.env as Environment, helperTimeoutMs: timeoutMs = 30_000, signal } = options;
  const paths = options.paths ?? usualPaths(env);
  return { paths, path: options.paths?.[0] ?? usualPathToKeep(env), helping: { env, timeoutMs, signal } };
}

function names(file: AuthFile, registry: string): boolean {
  const known = new Set(registryNames(registry));
  return [...Object.keys(file.auths).map(hostOf), ...Object.keys(file.credHelpers)].some((name) => known.has(name));
}

/** The helper of the registry, or that of the whole file, and what it knows the registry as. */
function helperFor(file: AuthFile, registry: string): { readonly name: string; readonly server: string } | undefined {
  for (const server of registryNames(registry)) {
    const name = file.credHelpers[server];
    if (isText(name)) return { name, server };
  }
  return file.credsStore === undefined ? undefined : { name: file.credsStore, server: keptName(registry) };
}

/** Looks first without the lock: a file that has nothing need not be writable. */
async function dropEntries(path: string, registry: string, { signal }: Cancellable): Promise<boolean> {
  const withoutEntries = (file: AuthFile | undefined) => {
    const others = otherEntries(file, registry);
    if (file === undefined || others.length === Object.keys(file.auths).length) return undefined;
    return { ...file.whole, auths: Object.fromEntries(others) };
  };
  if (withoutEntries(await readAuthFile(path)) === undefined) return false;
  return changeAuthFile(path, withoutEntries, { signal });
}

/** Those of other registries, and of parts of this one. */
function otherEntries(file: AuthFile | undefined, registry: string): [string, unknown][] {
  const known = new Set(registryNames(registry));
  return Object.entries(file?.auths ?? {}).filter(([key]) => !known.has(hostOf(key)));
}

function entryOf(credentials: Credentials): Readonly<Record<string, string>> {
  switch (credentials.kind) {
    case "password":
      return { auth: Buffer.from(`${credentials.username}:${credentials.password}`, "utf8").toString("base64") };
    case "identity-token":
      return { identitytoken: credentials.token };
    case "registry-token":
      return { registrytoken: credentials.token };
  }
}
