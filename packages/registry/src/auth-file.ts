import { randomUUID } from "node:crypto";
import { lstat, mkdir, open, readlink, realpath, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Cancellable, MoteError } from "@mote/core";
import { type AuthLock, lockAuthFile } from "./auth-lock.js";
import { isDockerHub } from "./place.js";
import { kindOf, readPlainFile, reasonOf } from "./plain-file.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A file of credentials: Docker's `config.json`, Podman's `auth.json`. */
export interface AuthFile {
  readonly path: string;
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: string | undefined;
  /** All of it, with what else it holds. */
  readonly whole: Readonly<Record<string, unknown>>;
}

/** Where credentials are looked for, the first that has something wins (containers-auth.json(5), then docker's own). */
export function usualPaths(env: Environment): string[] {
  const docker = dockerPath(env);
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE, docker];
  return [
    ...(env.DOCKER_CONFIG ? [docker] : []),
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "containers", "auth.json")] : []),
    join(env.XDG_CONFIG_HOME || join(homeOf(env), ".config"), "containers", "auth.json"),
    ...(env.DOCKER_CONFIG ? [] : [docker]),
  ];
}

/** Where credentials are kept that are in none of the files yet: where every tool finds them, also after a restart. */
export function usualPathToKeep(env: Environment): string {
  return env.REGISTRY_AUTH_FILE || dockerPath(env);
}

function dockerPath(env: Environment): string {
  return join(env.DOCKER_CONFIG || join(homeOf(env), ".docker"), "config.json");
}

function homeOf(env: Environment): string {
  return env.HOME || env.USERPROFILE || homedir();
}

/** Bytes; a login takes a few hundred. */
const maxAuthFileBytes = 16 * 1024 * 1024;
/** As many as the kernel follows. */
const mostLinks = 40;

/** Undefined where there is none, or an empty one. @throws MOTE_CONFIG */
export async function readAuthFile(path: string): Promise<AuthFile | undefined> {
  let text: string;
  try {
    text = readPlainFile(path, maxAuthFileBytes);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw new MoteError(
      "MOTE_CONFIG",
      `${path} cannot be read: ${reasonOf(cause)}; check the file and its permissions`,
      {
        cause,
        details: { path },
      },
    );
  }
  if (text.trim() === "") return undefined;
  const whole = parseObject(text);
  if (whole === undefined) {
    // The parser's message quotes the text, and that holds secrets.
    throw new MoteError("MOTE_CONFIG", `${path} is no JSON object; correct it, or log in again`, { details: { path } });
  }
  const { credsStore } = whole;
  return {
    path,
    auths: record(whole.auths),
    credHelpers: record(whole.credHelpers),
    credsStore: isText(credsStore) ? credsStore : undefined,
    whole,
  };
}

/**
 * Replaces the file by what `change` makes of it, in one piece, for nobody else to read. Other processes that do so wait: none
 * loses what another has written. `change` may be called again, and returns undefined to leave the file alone.
 * Returns whether it was replaced.
 * @throws MOTE_CONFIG · MOTE_TIMEOUT if another process holds the file's lock for 30 seconds
 */
export async function changeAuthFile(
  path: string,
  change: (file: AuthFile | undefined) => Readonly<Record<string, unknown>> | undefined,
  options: Cancellable = {},
): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const target = await targetOf(path);
    for (;;) {
      await using lock = await lockAuthFile(target, options);
      const whole = change(await readAuthFile(path));
      if (whole === undefined) return false;
      if (await replaceFile(target, `${JSON.stringify(whole, undefined, "\t")}\n`, lock)) return true;
    }
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (MoteError.isInstance(cause)) throw cause;
    const advice = "check its permissions, or name another by REGISTRY_AUTH_FILE";
    throw new MoteError("MOTE_CONFIG", `${path} cannot be written: ${reasonOf(cause)}; ${advice}`, {
      cause,
      details: { path },
    });
  }
}

/** The file that a path means, there or not: a link that the user has made stays, and what it leads to is replaced. */
async function targetOf(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < mostLinks; links++) {
    const stats = await lstat(target).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    if (stats === undefined || stats.isFile()) return target;
    if (!stats.isSymbolicLink()) throw new Error(`it is ${kindOf(stats)}, not a regular file`);
    target = resolve(await realpath(dirname(target)), await readlink(target));
  }
  throw new Error("its symbolic links lead in a circle");
}

/** False if the lock was lost: what was read under it may be old. */
async function replaceFile(target: string, text: string, lock: AuthLock): Promise<boolean> {
  const draft = `${target}.${randomUUID()}`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(text);
      // Whatever the umask takes away.
      await handle.chmod(0o600);
      const there = await lstat(target).catch(() => undefined);
      // Root who logs in for a user must not take the file away from that user.
      if (there?.isFile()) await handle.chown(there.uid, there.gid).catch(() => {});
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!(await lock.held())) return false;
    await rename(draft, target);
    return true;
  } finally {
    await rm(draft, { force: true });
  }
}

/** `https://index.docker.io/v1/` and `registry.example/v2/` are old ways to write a host; a longer path is none. */
export function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");
}

/** Docker's own registry goes by several names; the last is what `docker login` writes. */
export function registryNames(registry: string): readonly string[] {
  return isDockerHub(registry)
    ? ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"]
    : [registry];
}

/** The name that a registry is kept under. */
export function keptName(registry: string): string {
  return registryNames(registry).at(-1) ?? registry;
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body } : undefined;
  } catch {
    return undefined;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
