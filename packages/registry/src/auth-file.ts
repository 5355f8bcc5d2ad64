import { randomUUID } from "node:crypto";
import { mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { MoteError } from "@mote/core";
import { isDockerHub } from "./place.js";

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

/** Undefined where there is none, or an empty one. @throws MOTE_CONFIG */
export async function readAuthFile(path: string): Promise<AuthFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw new MoteError("MOTE_CONFIG", `${path} cannot be read; check its permissions`, { cause, details: { path } });
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

/** Replaces the file in one piece, for nobody else to read. @throws MOTE_CONFIG */
export async function writeAuthFile(path: string, whole: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Who has linked it to another place means that to be written.
    const target = await realpath(path).catch((error: unknown) => {
      if (isAbsent(error)) return path;
      throw error;
    });
    const draft = `${target}.${randomUUID()}`;
    try {
      await writeFile(draft, `${JSON.stringify(whole, undefined, "\t")}\n`, { mode: 0o600, flag: "wx", flush: true });
      await rename(draft, target);
    } finally {
      await rm(draft, { force: true });
    }
  } catch (cause) {
    throw new MoteError(
      "MOTE_CONFIG",
      `${path} cannot be written; check its permissions, or name another by REGISTRY_AUTH_FILE`,
      {
        cause,
        details: { path },
      },
    );
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
