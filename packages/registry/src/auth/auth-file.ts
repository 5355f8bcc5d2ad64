import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { lstat, mkdir, open, readlink, realpath, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  type Cancellable,
  errorCode,
  fileKind,
  isAbsent,
  isRecord,
  type LockFile,
  MoteError,
  parseRecord,
  reasonOf,
} from "@mote/core";
import { lockBeside } from "../disk/lock-file.js";
import { readPlainFile } from "../disk/plain-file.js";
import type { AuthPath } from "./auth-paths.js";

/** A credentials file: Docker's `config.json` or Podman's `auth.json`. */
export interface AuthFile {
  readonly path: string;
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: string | undefined;
  /** The complete file with its other settings. */
  readonly content: Readonly<Record<string, unknown>>;
}

/** Maximum size of a file. A login takes a few hundred bytes. */
const maxAuthFileBytes = 16 * 1024 * 1024;
/** Maximum symbolic links to follow: the limit of the Linux kernel. */
const mostLinks = 40;

/** Returns undefined if it is missing or empty. @throws MOTE_CONFIG */
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
  // Windows editors may write a byte order mark.
  const json = text.replace(/^\uFEFF/, "");
  if (json.trim() === "") return undefined;
  const content = parseRecord(json);
  if (content === undefined) {
    // The parser's message quotes the text, which contains secrets.
    throw new MoteError("MOTE_CONFIG", `${path} is not a JSON object; correct it, or log in again`, {
      details: { path },
    });
  }
  const { credsStore } = content;
  return {
    path,
    auths: record(content.auths),
    credHelpers: record(content.credHelpers),
    credsStore: isText(credsStore) ? credsStore : undefined,
    content,
  };
}

/** Reads the existing files in order. Reports and skips default files that cannot be read, as after `su`. @throws MOTE_CONFIG */
export async function* readAuthFiles(
  paths: readonly AuthPath[],
  warn: (message: string) => void,
): AsyncGenerator<AuthFile, void, undefined> {
  for (const { path, isNamed, isOfSystem } of paths) {
    try {
      const file = await readAuthFile(path);
      if (file !== undefined) yield file;
    } catch (error) {
      if (isNamed || !MoteError.isInstance(error) || !isForbidden(error.cause)) throw error;
      if (!isOfSystem) warn(error.message);
    }
  }
}

/**
 * Replaces the file with the result of `change`, atomically, private to its owner, under a lock. `change` may be called again; it
 * returns undefined to change nothing. Returns whether it was replaced. @throws MOTE_CONFIG · MOTE_TIMEOUT if it is locked for 30 seconds
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
      await using lock = await lockBeside(target, options);
      const content = change(await readAuthFile(path));
      if (content === undefined) return false;
      if (await replaceFile(target, `${JSON.stringify(content, undefined, "\t")}\n`, lock)) return true;
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

/** Resolves the file to replace, which need not exist. Symbolic links are kept, and their target is replaced. */
async function targetOf(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < mostLinks; links++) {
    const stats = await lstat(target).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    if (stats === undefined || stats.isFile()) return target;
    if (!stats.isSymbolicLink()) throw new Error(`it is ${fileKind(stats)}, not a regular file`);
    target = resolve(await realpath(dirname(target)), await readlink(target));
  }
  throw new Error("its symbolic links lead in a circle");
}

/** False if the lock was lost: data read under it may be stale. */
async function replaceFile(target: string, text: string, lock: LockFile): Promise<boolean> {
  const draft = `${target}.${randomUUID()}`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(text);
      const there = await lstat(target).catch(() => undefined);
      // Not subject to the umask.
      await handle.chmod(modeFor(there));
      // If root logs in for a user, the user stays the owner.
      if (there?.isFile()) await handle.chown(there.uid, there.gid).catch(() => {});
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!(await lock.isHeld())) return false;
    await rename(draft, target);
    return true;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Keeps group access; a file others could access becomes 0600. */
function modeFor(there: Pick<Stats, "mode"> | undefined): number {
  const mode = there === undefined ? 0o600 : there.mode & 0o777;
  return (mode & 0o007) === 0 ? (mode & 0o770) | 0o600 : 0o600;
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isForbidden(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
}
