import { userInfo } from "node:os";
import { join } from "node:path";
import { homeFolders, MoteError } from "@mote/core";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A file where credentials are looked for. */
export interface AuthPath {
  readonly path: string;
  /** Whether the user named it. One that is only usual may be another user's, and is then none of ours. */
  readonly isNamed: boolean;
}

/**
 * Returns where credentials are looked for; the first that has some wins. `$REGISTRY_AUTH_FILE` replaces Podman's files and `$DOCKER_CONFIG` goes
 * before them, as in containers/common; else the order is that of containers-auth.json(5).
 */
export function defaultPaths(env: Environment): AuthPath[] {
  const docker = dockerPath(env);
  if (env.REGISTRY_AUTH_FILE) return [named(env.REGISTRY_AUTH_FILE), ...present(docker)];
  const { config } = homeFolders(env, userInfo);
  const podman = [runtimePath(env), config && join(config, "containers", "auth.json")];
  const usual = podman.filter((path) => path !== undefined).map((path) => ({ path, isNamed: false }));
  return docker?.isNamed ? [docker, ...usual] : [...usual, ...present(docker)];
}

/** Returns where new credentials are stored: where every tool finds them, also after a restart. @throws MOTE_CONFIG if there is no home folder */
export function defaultPathToStore(env: Environment): string {
  const path = env.REGISTRY_AUTH_FILE || dockerPath(env)?.path;
  if (path !== undefined) return path;
  throw new MoteError(
    "MOTE_CONFIG",
    "there is no home folder to store the login in; set HOME, or name a file by REGISTRY_AUTH_FILE or a folder by DOCKER_CONFIG",
  );
}

/** Without `$XDG_RUNTIME_DIR`, `podman login` on Linux writes below `/run/containers`, also as root. */
function runtimePath(env: Environment): string | undefined {
  const { runtime } = homeFolders(env, userInfo);
  if (runtime !== undefined) return join(runtime, "containers", "auth.json");
  const uid = process.platform === "linux" ? process.getuid?.() : undefined;
  return uid === undefined ? undefined : `/run/containers/${uid}/auth.json`;
}

function dockerPath(env: Environment): AuthPath | undefined {
  if (env.DOCKER_CONFIG) return named(join(env.DOCKER_CONFIG, "config.json"));
  const { home } = homeFolders(env, userInfo);
  return home === undefined ? undefined : { path: join(home, ".docker", "config.json"), isNamed: false };
}

function named(path: string): AuthPath {
  return { path, isNamed: true };
}

function present(path: AuthPath | undefined): AuthPath[] {
  return path === undefined ? [] : [path];
}
