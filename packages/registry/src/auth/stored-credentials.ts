import { type Cancellable, silentLogger } from "@mote/core";
import { type AuthFile, changeAuthFile, isText, readAuthFile, readAuthFiles } from "./auth-file.js";
import { entriesFor, helperNames, isKeyOf, storedName } from "./auth-keys.js";
import { defaultPathToStore, type Environment } from "./auth-paths.js";
import { eraseWithHelper, helperProgram, runCredentialHelper, storeWithHelper } from "./credential-helper.js";
import type { Credentials } from "./credentials.js";
import { type DockerCredentialsOptions, onceEach, pathsOf } from "./docker-credentials.js";

type StoreOptions = DockerCredentialsOptions & Cancellable;

/**
 * Stores a registry's credentials, named as in references: in the file that lists the registry, else `$REGISTRY_AUTH_FILE`, else
 * Docker's `config.json`; or with that file's credential helper. Returns the file's path, or the program's name. @throws MOTE_CONFIG
 */
export async function saveCredentials(
  registry: string,
  credentials: Credentials,
  options: StoreOptions = {},
): Promise<string> {
  const { signal } = options;
  const { env, paths, helping, warn } = settings(options);
  let file: AuthFile | undefined;
  for await (const one of readAuthFiles(paths, warn)) {
    if (!names(one, registry)) continue;
    file = one;
    break;
  }
  // Read the default file if none lists the registry.
  const path = file?.path ?? options.paths?.[0] ?? defaultPathToStore(env);
  file ??= await readAuthFile(path);
  const helper = file && helperFor(file, registry);
  if (helper !== undefined) {
    await storeWithHelper(helper.name, helper.server, credentials, helping);
    // A plain-text entry would take precedence.
    if (file !== undefined) await dropEntries(file.path, registry, options);
    return helperProgram(helper.name);
  }
  const add = (now: AuthFile | undefined) => {
    const auths = { ...Object.fromEntries(otherEntries(now, registry)), [storedName(registry)]: entryOf(credentials) };
    return { ...now?.content, auths };
  };
  await changeAuthFile(path, add, { signal });
  return path;
}

/** Erases a registry's credentials everywhere. Returns the files and programs that had some. @throws MOTE_CONFIG */
export async function eraseCredentials(registry: string, options: StoreOptions = {}): Promise<string[]> {
  const { paths, helping, warn } = settings(options);
  const erased: string[] = [];
  for await (const file of readAuthFiles(paths, warn)) {
    const helper = helperFor(file, registry);
    const program = helper && helperProgram(helper.name);
    for (const server of helper === undefined ? [] : [helper.server, ...otherNames(helper.server, registry)]) {
      if (helper === undefined || (await runCredentialHelper(helper.name, server, helping)) === undefined) continue;
      await eraseWithHelper(helper.name, server, helping);
      if (program !== undefined && !erased.includes(program)) erased.push(program);
    }
    if (await dropEntries(file.path, registry, options)) erased.push(file.path);
  }
  return erased;
}

function settings(options: StoreOptions) {
  const { env = process.env as Environment, helperTimeoutMs: timeoutMs = 30_000, signal } = options;
  const warn = onceEach(options.logger ?? silentLogger);
  return { env, paths: pathsOf(options, env), helping: { env, timeoutMs, signal, onProblem: warn }, warn };
}

function names({ auths, credHelpers }: AuthFile, registry: string): boolean {
  return [...Object.keys(auths), ...Object.keys(credHelpers)].some((key) => isKeyOf(key, registry));
}

/** Returns the registry's helper or the file's, and its name for the registry. */
function helperFor(file: AuthFile, registry: string): { readonly name: string; readonly server: string } | undefined {
  const own = entriesFor(file.credHelpers, registry).find(([, name]) => isText(name));
  if (own !== undefined) return { name: String(own[1]), server: own[0] };
  return file.credsStore === undefined ? undefined : { name: file.credsStore, server: storedName(registry) };
}

function otherNames(server: string, registry: string): readonly string[] {
  return helperNames(registry).filter((name) => name !== server);
}

/** Checks first without the lock: a file without entries need not be writable. */
async function dropEntries(path: string, registry: string, { signal }: Cancellable): Promise<boolean> {
  const withoutEntries = (file: AuthFile | undefined) => {
    const others = otherEntries(file, registry);
    if (file === undefined || others.length === Object.keys(file.auths).length) return undefined;
    return { ...file.content, auths: Object.fromEntries(others) };
  };
  if (withoutEntries(await readAuthFile(path)) === undefined) return false;
  return changeAuthFile(path, withoutEntries, { signal });
}

/** Entries of other registries or parts of this one. */
function otherEntries(file: AuthFile | undefined, registry: string): [string, unknown][] {
  return Object.entries(file?.auths ?? {}).filter(([key]) => !isKeyOf(key, registry));
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
