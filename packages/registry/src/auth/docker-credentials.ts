import { type Logger, silentLogger } from "@mote/core";
import { type AuthFile, isText, readAuthFiles, record } from "./auth-file.js";
import { entriesFor, helperNames } from "./auth-keys.js";
import { type AuthPath, defaultPaths, type Environment } from "./auth-paths.js";
import { runCredentialHelper } from "./credential-helper.js";
import type { CredentialSource, Credentials } from "./credentials.js";

export interface DockerCredentialsOptions {
  /** Files to read; the first that has a login wins. Default: those of Podman and Docker, see `README.md`. */
  readonly paths?: readonly string[] | undefined;
  /** Default `process.env`. */
  readonly env?: Environment | undefined;
  /** Time limit of a credential helper. Default 30,000: the user may have to unlock a key ring. */
  readonly helperTimeoutMs?: number | undefined;
  /** Receives one warning for each unusable helper or entry. Silent by default. */
  readonly logger?: Logger | undefined;
}

/**
 * Returns the credentials that `docker login` and `podman login` store: `auths`, `credHelpers` and `credsStore` of `config.json` and `auth.json`,
 * read again each time. A credential helper that is missing or fails has none, with a warning. @throws MOTE_CONFIG from `get` for unreadable files
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): CredentialSource {
  const env = options.env ?? process.env;
  const paths = pathsOf(options, env);
  const timeoutMs = options.helperTimeoutMs ?? 30_000;
  const warn = onceEach(options.logger ?? silentLogger);
  return {
    async get(registry, repository, { signal } = {}) {
      for await (const file of readAuthFiles(paths, warn)) {
        const runHelper = (name: string, server: string) => {
          const onProblem = (problem: string) =>
            warn(`${problem}; continuing without what it stores; correct or remove it in ${file.path}`);
          return runCredentialHelper(name, server, { env, timeoutMs, signal, onProblem });
        };
        const found = await lookUp(file, { registry, repository, runHelper, warn });
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** Returns the files from the options, or the default ones. */
export function pathsOf({ paths }: Pick<DockerCredentialsOptions, "paths">, env: Environment): readonly AuthPath[] {
  return paths?.map((path) => ({ path, isNamed: true })) ?? defaultPaths(env);
}

/** Returns a function that logs each warning once, as credentials are looked up repeatedly. */
export function onceEach(logger: Logger): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (told.has(message)) return;
    told.add(message);
    logger.warn(message);
  };
}

interface Wanted {
  readonly registry: string;
  readonly repository: string | undefined;
  readonly runHelper: (helper: string, server: string) => Promise<Credentials | undefined>;
  readonly warn: (message: string) => void;
}

/** Tries the registry's own helper, then the entries, then the default helper. */
async function lookUp(
  { path, auths, credHelpers, credsStore }: AuthFile,
  { registry, repository, runHelper, warn }: Wanted,
): Promise<Credentials | undefined> {
  const own = entriesFor(credHelpers, registry).find(([, name]) => isText(name));
  const found = own && (await runHelper(String(own[1]), own[0]));
  if (found !== undefined) return found;
  for (const [key, entry] of entriesFor(auths, registry, repository)) {
    const credentials = readAuth(record(entry), () =>
      warn(`the entry ${key} of ${path} has no user name and is ignored; log in to ${registry} again`),
    );
    if (credentials !== undefined) return credentials;
  }
  if (own !== undefined || credsStore === undefined) return undefined;
  for (const name of helperNames(registry)) {
    const stored = await runHelper(credsStore, name);
    if (stored !== undefined) return stored;
  }
  return undefined;
}

/** Returns undefined for an empty entry, which Docker writes when a helper stores the login. */
function readAuth(entry: Readonly<Record<string, unknown>>, onInvalid: () => void): Credentials | undefined {
  const { auth, username, password, identitytoken, registrytoken } = entry;
  if (isText(identitytoken)) return { kind: "identity-token", token: identitytoken };
  if (isText(registrytoken)) return { kind: "registry-token", token: registrytoken };
  if (isText(auth)) {
    const text = Buffer.from(auth, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon > 0) {
      return { kind: "password", username: text.slice(0, colon), password: withoutPadding(text.slice(colon + 1)) };
    }
    onInvalid();
  }
  if (isText(username) && typeof password === "string") return { kind: "password", username, password };
  return undefined;
}

/** Docker cuts a password at the zeros old versions padded it with. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(0, end);
}
