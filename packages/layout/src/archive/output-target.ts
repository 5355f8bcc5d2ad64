import { fstatSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isatty } from "node:tty";
import { errorCode, fileKind, MoteError } from "@mote/core";
import { writeFailed } from "../disk/file-error.js";

/** Maximum symbolic links to follow: the limit of the Linux kernel. */
const maxLinks = 40;
const stdoutFd = 1;

/** The target of an output file named by the user. */
export type OutputTarget =
  /** A regular file, existing or not, replaced atomically; `path` has the user's symbolic links resolved. */
  | { readonly kind: "file"; readonly path: string }
  /** A FIFO, a device, or stdout as `-`: written sequentially, and never replaced. */
  | { readonly kind: "stream"; readonly path: string };

/** Determines the type of a path before writing. @throws MOTE_UNWRITABLE for a directory, socket, terminal, dangling or foreign link */
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

/** Returns whether the path is this process's stdout: `-`, `/dev/stdout`, or its redirection target. */
export function isStdout(path: string): boolean {
  if (path === "-") return true;
  const [stats, out] = [statsAt(path), fstatSync(stdoutFd)];
  if (stats?.ino !== out.ino || stats.dev !== out.dev) return false;
  // Outputs to /dev/null cannot mix.
  return !stats.isCharacterDevice() || isatty(stdoutFd);
}

/** Returns undefined also if the path cannot be resolved: the write reports why. */
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

/** Follows the links one by one, to find the path to replace. */
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

/** Rejects another user's link in a directory such as /tmp, as Linux does on opening (proc(5), protected_symlinks). */
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
