import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { errorCode, isOnNetworkFileSystem, MoteError } from "@mote/core";
import { CacheFolder } from "./cache-folder.js";
import { checkFolderLocation } from "./folder-location.js";

/** The properties of a cache folder and its file system. Undefined where unknown. */
export interface FolderFindings {
  /** `absent`: does not exist. `layout`: another program's image layout, not yet a cache. `refused`: see `error`. */
  readonly state: "absent" | "empty" | "layout" | "cache" | "refused";
  readonly error?: MoteError | undefined;
  /** Whether files can be created in the folder, or where it would be created. */
  readonly isWritable: boolean;
  /** Permission bits, such as 0o755. */
  readonly mode?: number | undefined;
  /** Those of the cache's folders that every user may write to. */
  readonly writableByAll: readonly string[];
  /** Bytes available to this user, and bytes in total. */
  readonly freeBytes?: number | undefined;
  readonly totalBytes?: number | undefined;
  /** Inodes available. Undefined also if the file system has no limit. */
  readonly freeFiles?: number | undefined;
  /** The name of the file system's type, or its number. */
  readonly fileSystem?: string | undefined;
  readonly isNetwork: boolean;
  readonly hasHardLinks?: boolean | undefined;
  /** Whether a copy can share extents with the original. */
  readonly hasReflinks?: boolean | undefined;
  /** Whether access times stay as they were set. */
  readonly keepsTimes?: boolean | undefined;
  readonly isCaseSensitive?: boolean | undefined;
  /** Unfinished writes, to be resumed or cleaned up. */
  readonly unfinished: { readonly files: number; readonly bytes: number };
  readonly damaged: { readonly files: number; readonly bytes: number };
}

/** Inspects a cache folder, and probes its file system with temporary files. Creates no folder. */
export function examineFolder(root: string): FolderFindings {
  const folder = new CacheFolder(root, undefined);
  const nearest = nearestFolder(folder.root);
  const { state, error } = inspect(folder, nearest);
  const probing = nearest === undefined ? undefined : probe(state === "cache" ? folder.ingest : nearest);
  const space = nearest === undefined ? undefined : spaceAt(nearest);
  const isOwn = nearest === folder.root;
  return {
    state,
    error,
    isWritable: probing !== undefined,
    mode: isOwn ? fs.statSync(nearest).mode & 0o7777 : undefined,
    writableByAll: isOwn ? folder.writableByAll() : [],
    ...space,
    isNetwork: nearest !== undefined && isOnNetworkFileSystem(nearest, { ...fs, dirname }),
    ...probing,
    unfinished: measure(folder.ingest),
    damaged: measure(folder.quarantine),
  };
}

function inspect(folder: CacheFolder, nearest: string | undefined): Pick<FolderFindings, "state" | "error"> {
  try {
    checkFolderLocation(folder.root);
    if (nearest !== folder.root) return { state: "absent" };
    return { state: folder.inspect() };
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    return { state: "refused", error };
  }
}

/** Returns the folder itself, or its nearest ancestor that exists. */
function nearestFolder(path: string): string | undefined {
  try {
    if (fs.statSync(path).isDirectory()) return path;
  } catch {
    // Does not exist, or a parent is not a directory.
  }
  return dirname(path) === path ? undefined : nearestFolder(dirname(path));
}

function spaceAt(nearest: string): Pick<FolderFindings, "freeBytes" | "totalBytes" | "freeFiles" | "fileSystem"> {
  try {
    const { bavail, blocks, bsize, files, ffree, type } = fs.statfsSync(nearest);
    return {
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      freeFiles: files === 0 ? undefined : ffree,
      fileSystem: names.get(type >>> 0) ?? `0x${(type >>> 0).toString(16)}`,
    };
  } catch {
    return {};
  }
}

/** statfs(2), f_type. */
const names: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0x6969, "nfs"],
  [0xff534d42, "cifs"],
  [0xfe534d42, "smb2"],
  [0x65735546, "fuse"],
  [0x01021997, "9p"],
  [0x2fc12fc1, "zfs"],
  [0xca451a4e, "bcachefs"],
  [0x4d44, "vfat"],
  [0x9fa0, "procfs"],
]);

type Probing = Pick<FolderFindings, "hasHardLinks" | "hasReflinks" | "keepsTimes" | "isCaseSensitive">;

/** Returns undefined if no file can be created. */
function probe(folder: string): Probing | undefined {
  // Not named like an ingest file, so that no process mistakes it for one.
  const path = join(folder, `probe-${randomUUID()}`);
  const others = [`${path}.link`, `${path}.clone`];
  try {
    fs.writeFileSync(path, "probe", { flag: "wx" });
    const used = 1_000_000_000;
    return {
      hasHardLinks: can(() => fs.linkSync(path, `${path}.link`)),
      hasReflinks: can(() => fs.copyFileSync(path, `${path}.clone`, fs.constants.COPYFILE_FICLONE_FORCE)),
      keepsTimes: can(() => fs.utimesSync(path, used, used)) && fs.statSync(path).atimeMs === used * 1000,
      isCaseSensitive: !fs.existsSync(join(folder, path.slice(folder.length + 1).toUpperCase())),
    };
  } catch {
    return undefined;
  } finally {
    for (const each of [path, ...others]) fs.rmSync(each, { force: true });
  }
}

function can(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

function measure(folder: string): { files: number; bytes: number } {
  let [files, bytes] = [0, 0];
  try {
    for (const name of fs.readdirSync(folder)) {
      if (name.endsWith(".view")) continue;
      const stats = fs.lstatSync(resolve(folder, name), { throwIfNoEntry: false });
      if (stats === undefined) continue;
      files++;
      bytes += stats.size;
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
  return { files, bytes };
}
