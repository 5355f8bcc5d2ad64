import { userInfo } from "node:os";
import { join } from "node:path";
import { homeFolders, MoteError } from "@mote/core";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A credentials file to read. */
export interface AuthPath {
  readonly path: string;
  /** Whether the user named it. A default path may belong to another user, and is then skipped. */
  readonly isNamed: boolean;
  /** Whether its folder belongs to the system. If the user cannot read it, the user has no file there. */
  readonly isOfSystem?: boolean;
}

/**
 * Returns the credentials files in lookup order. `$REGISTRY_AUTH_FILE` replaces Podman's files and `$DOCKER_CONFIG` precedes
 * them, as in containers/common; otherwise the order is that of containers-auth.json(5).
 */
export function defaultPaths(env: Environment): AuthPath[] {
  const docker = dockerPath(env);
  if (env.REGISTRY_AUTH_FILE) return [named(env.REGISTRY_AUTH_FILE), ...present(docker)];
  const { config } = homeFolders(env, userInfo);
  const podman = config === undefined ? undefined : usualPath(join(config, "containers", "auth.json"));
  const usual = [...present(runtimePath(env)), ...present(podman)];
  return docker?.isNamed ? [docker, ...usual] : [...usual, ...present(docker)];
}

/** Returns where new credentials are stored: a persistent file that every tool reads. @throws MOTE_CONFIG if there is no home folder */
export function defaultPathToStore(env: Environment): string {
  const path = env.REGISTRY_AUTH_FILE || dockerPath(env)?.path;
  if (path !== undefined) return path;
  throw new MoteError(
    "MOTE_CONFIG",
    "cannot store the login: there is no home folder; set HOME, REGISTRY_AUTH_FILE or DOCKER_CONFIG",
  );
}

/** Without `$XDG_RUNTIME_DIR`, `podman login` on Linux uses `/run/containers`, also as root. */
function runtimePath(env: Environment): AuthPath | undefined {
  const { runtime } = homeFolders(env, userInfo);
  if (runtime !== undefined) return usualPath(join(runtime, "containers", "auth.json"));
  const uid = process.platform === "linux" ? process.getuid?.() : undefined;
  return uid === undefined ? undefined : { ...usualPath(`/run/containers/${uid}/auth.json`), isOfSystem: true };
}

function dockerPath(env: Environment): AuthPath | undefined {
  if (env.DOCKER_CONFIG) return named(join(env.DOCKER_CONFIG, "config.json"));
  const { home } = homeFolders(env, userInfo);
  return home === undefined ? undefined : usualPath(join(home, ".docker", "config.json"));
}

function usualPath(path: string): AuthPath {
  return { path, isNamed: false };
}

function named(path: string): AuthPath {
  return { path, isNamed: true };
}

function present(path: AuthPath | undefined): AuthPath[] {
  return path === undefined ? [] : [path];
}
