import { fstatSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isatty } from "node:tty";
import { errorCode, fileKind, MoteError } from "@mote/core";
import { writeFailed } from "../disk/file-error.js";

/** As many as the kernel follows. */
const maxLinks = 40;
const stdoutFd = 1;

/** Where the bytes of one file that a user named go. */
export type OutputTarget =
  /** A regular file, there or not, which is replaced in one piece; `path` is what the user's symbolic links lead to. */
  | { readonly kind: "file"; readonly path: string }
  /** A FIFO, a device, or stdout as `-`: written to from front to back, and never replaced. */
  | { readonly kind: "stream"; readonly path: string };

/** Finds out what a path is before anything is written there. @throws MOTE_UNWRITABLE for a directory, socket, terminal, dangling or foreign link */
export function findOutputTarget(path: string): OutputTarget {
  try {
    if (isStdout(path)) return streamTo("-", fstatSync(stdoutFd));
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined || stats.isFile()) return { kind: "file", path: followLinks(path) };
    return streamTo(path, stats);
  } catch (error) {
    if (errorCode(error) === "ELOOP") throw refused(path, "its symbolic links form a loop");
    throw writeFailed(error, path);
  }
}

/** Whether what is written to the path comes out of this process's stdout: `-`, `/dev/stdout`, or what stdout was redirected to. */
export function isStdout(path: string): boolean {
  if (path === "-") return true;
  const [stats, out] = [statsAt(path), fstatSync(stdoutFd)];
  if (stats?.ino !== out.ino || stats.dev !== out.dev) return false;
  // What goes to /dev/null from two sides does not mix.
  return !stats.isCharacterDevice() || isatty(stdoutFd);
}

/** Returns undefined also if the path cannot be followed: the write reports why. */
function statsAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function streamTo(path: string, stats: Stats): OutputTarget {
  const isOpenSocket = path === "-" && stats.isSocket();
  if (path === "-" && isatty(stdoutFd)) throw refused("stdout", "it is a terminal");
  if (path === "-" && !stats.isDirectory()) return { kind: "stream", path };
  if (stats.isDirectory() || (stats.isSocket() && !isOpenSocket)) throw refused(path, `it is ${fileKind(stats)}`);
  return { kind: "stream", path };
}

/** Walks the links one by one, so that the last name is known: it is what is replaced. */
function followLinks(path: string): string {
  let target = path;
  for (let links = 0; links <= maxLinks; links++) {
    const stats = lstatSync(target, { throwIfNoEntry: false });
    if (stats?.isFile() || (stats === undefined && links === 0)) return target;
    if (stats === undefined) throw refused(path, `it is a symbolic link to ${target}, which does not exist`);
    if (!stats.isSymbolicLink()) throw refused(path, `it leads to ${fileKind(stats)}`);
    const folder = realpathSync(dirname(target));
    assertOwnLink(path, stats, statSync(folder));
    target = resolve(folder, readlinkSync(target));
  }
  throw refused(path, "its symbolic links form a loop");
}

/** Refuses a link of another user in a directory such as /tmp, as Linux does on opening (proc(5), protected_symlinks). */
function assertOwnLink(path: string, link: Stats, folder: Stats): void {
  const isShared = (folder.mode & 0o1002) === 0o1002;
  if (!isShared || link.uid === process.geteuid?.() || link.uid === folder.uid) return;
  throw refused(path, "it is another user's symbolic link in a world-writable directory");
}

function refused(path: string, why: string): MoteError {
  return new MoteError("MOTE_UNWRITABLE", `cannot write ${path}: ${why}; choose another destination`, {
    details: { path },
  });
}
