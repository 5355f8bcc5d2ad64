import { MoteError } from "@mote/core";
import {
  type AuthFile,
  type Environment,
  hostOf,
  isText,
  keptName,
  readAuthFile,
  record,
  registryNames,
  usualPaths,
} from "./auth-file.js";
import { askCredentialHelper } from "./credential-helper.js";
import type { CredentialSource, Credentials } from "./credentials.js";

export interface DockerCredentialsOptions {
  /** The files to look in, the first that has something wins. Default: where Podman and Docker keep them, see `README.md`. */
  readonly paths?: readonly string[] | undefined;
  /** Default `process.env`. */
  readonly env?: Environment | undefined;
  /** How long a credential helper may take. Default 30,000: somebody may have to unlock a key ring. */
  readonly helperTimeoutMs?: number | undefined;
}

/**
 * The credentials that `docker login` and `podman login` keep: `auths`, `credHelpers` and `credsStore` of Docker's
 * `config.json` and Podman's `auth.json`. Read anew each time, so that a login counts at once. A file that is not there has none.
 * @throws MOTE_CONFIG from `get`, where a file is there and cannot be read
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): CredentialSource {
  const env = options.env ?? process.env;
  const paths = options.paths ?? usualPaths(env);
  const timeoutMs = options.helperTimeoutMs ?? 30_000;
  return {
    async get(registry, repository, { signal } = {}) {
      for (const path of paths) {
        const config = await readAuthFile(path);
        if (config === undefined) continue;
        const ask = (name: string, server: string) => askCredentialHelper(name, server, { env, timeoutMs, signal });
        const found = await lookUp(config, registry, repository, ask);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

async function lookUp(
  config: AuthFile,
  registry: string,
  repository: string | undefined,
  ask: (helper: string, server: string) => Promise<Credentials | undefined>,
): Promise<Credentials | undefined> {
  const names = registryNames(registry);
  for (const name of names) {
    const helper = config.credHelpers[name];
    if (isText(helper)) return ask(helper, name);
  }
  const auth = findAuth(config.auths, names, repository);
  const found = auth && readAuth(record(auth.entry), config.path, auth.key);
  if (found !== undefined || config.credsStore === undefined) return found;
  return ask(config.credsStore, keptName(registry));
}

/** Podman's keys may name a repository or a part of its path; the longest that fits wins. */
function findAuth(
  auths: AuthFile["auths"],
  names: readonly string[],
  repository: string | undefined,
): { readonly key: string; readonly entry: unknown } | undefined {
  const parts = repository?.split("/") ?? [];
  for (let length = parts.length; length >= 0; length--) {
    const wanted = new Set(names.map((name) => [name, ...parts.slice(0, length)].join("/")));
    for (const [key, entry] of Object.entries(auths)) {
      if (wanted.has(length === 0 ? hostOf(key) : key)) return { key, entry };
    }
  }
  return undefined;
}

function readAuth(entry: Readonly<Record<string, unknown>>, path: string, key: string): Credentials | undefined {
  const { auth, username, password, identitytoken, registrytoken } = entry;
  if (isText(identitytoken)) return { kind: "identity-token", token: identitytoken };
  if (isText(registrytoken)) return { kind: "registry-token", token: registrytoken };
  if (isText(auth)) {
    const text = Buffer.from(auth, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon < 0) {
      throw new MoteError("MOTE_CONFIG", `the entry ${key} of ${path} has no user name; log in to it again`, {
        details: { path, key },
      });
    }
    return { kind: "password", username: text.slice(0, colon), password: withoutPadding(text.slice(colon + 1)) };
  }
  if (isText(username) && typeof password === "string") return { kind: "password", username, password };
  return undefined;
}

/** Docker ends a password at the zeros that old versions padded it with. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(0, end);
}
