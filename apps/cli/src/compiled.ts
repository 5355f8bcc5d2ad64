import fs from "node:fs";
import nodeModule from "node:module";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { homeFolders } from "@mote/core";
import { ownFolder } from "./input/private-folder.js";

const folderName = "mote-compiled";
const digestBytes = 32;
/** For the time of the first run. */
const timeBytes = 8;
const largestFileBytes = 64 * 1024 * 1024;
/** V8 discards compiled code during a long run, so only the code of a short run is cached. */
const longestRunMs = 5000;
/** Less added code than this share is not worth a write. */
const leastGrowth = 0.003;
const othersMayWrite = 0o022;
const maxAgeMs = 30 * 24 * 60 * 60 * 1000;

/** Node's compile cache, since 22.8. */
interface EngineCache {
  readonly enableCompileCache: (folder: string) => unknown;
  readonly getCompileCacheDir: () => string | undefined;
  /** Since 22.10. */
  readonly flushCompileCache?: () => void;
}

/**
 * Loads a CommonJS module with compiled code from an earlier run of the same `part`, and stores what this run compiles: in Node's compile cache, or
 * before Node 22.8 in ours. V8 executes what the files contain, so only a directory that no other user can write to is used.
 */
export function loadCompiled<T>(file: URL, { require, part }: { require: NodeJS.Require; part: string }): T {
  const filename = fileURLToPath(file);
  const engine = engineCache();
  if (engine === undefined) return runCompiled(filename, { require, part });
  const folder = engine.getCompileCacheDir() === undefined ? cacheFolder() : undefined;
  if (folder !== undefined) engine.enableCompileCache(join(folder, partName(part)));
  if (engine.flushCompileCache !== undefined) setTimeout(engine.flushCompileCache, longestRunMs).unref();
  return require(filename);
}

function engineCache(): EngineCache | undefined {
  return "enableCompileCache" in nodeModule ? (nodeModule as unknown as EngineCache) : undefined;
}

/** Returns a name for each command, because Node's cache stores only what the first run has compiled. */
function partName(part: string): string {
  return /^[a-z][a-z-]{0,19}$/.test(part) ? part : "other";
}

function cacheFolder(): string | undefined {
  const { NODE_DISABLE_COMPILE_CACHE, NODE_COMPILE_CACHE } = process.env;
  if (NODE_DISABLE_COMPILE_CACHE) return undefined;
  const parent = NODE_COMPILE_CACHE || homeFolders(process.env, userInfo).cache;
  return parent === undefined ? undefined : ownFolder(parent, folderName);
}

function runCompiled<T>(filename: string, { require, part }: { require: NodeJS.Require; part: string }): T {
  const { source, stats } = readSource(filename);
  const folder = cacheFolder();
  const file = folder === undefined ? undefined : join(folder, fileName(stats, part));
  const stored = file === undefined ? undefined : read(file);
  const { Script } = process.getBuiltinModule("node:vm");
  const script = new Script(source, { filename, cachedData: stored?.data });
  const accepted = script.cachedDataRejected ? undefined : stored;
  if (file !== undefined && (accepted?.isDue ?? true)) {
    process.once("exit", () => {
      if (performance.now() < longestRunMs) store(file, script.createCachedData(), accepted);
    });
  }
  const module = { exports: {} as T };
  script.runInThisContext()(module.exports, require, module, filename, dirname(filename));
  return module.exports;
}

/** Reads a module as a function, from the file that the stats are of, even if another one gets its name meanwhile. */
function readSource(filename: string): { readonly source: string; readonly stats: fs.Stats } {
  const [head = "", tail = ""] = nodeModule.wrap("\0").split("\0");
  const fd = fs.openSync(filename, "r");
  try {
    const stats = fs.fstatSync(fd);
    const { size } = stats;
    // In one piece: the engine would copy a text of several. The build emits ASCII only.
    const bytes = Buffer.allocUnsafeSlow(head.length + size + tail.length);
    bytes.write(head, "latin1");
    if (fs.readSync(fd, bytes, head.length, size, 0) < size) throw new Error(`cannot read all of ${filename}`);
    bytes.write(tail, head.length + size, "latin1");
    return { source: bytes.toString("latin1"), stats };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Returns a file name for this source and this version of V8, which itself checks only the length of the source. Hashing the source would take
 * longer than anything else here; no one can set back the change time of a file.
 */
function fileName({ dev, ino, size, mtimeMs, ctimeMs }: fs.Stats, part: string): string {
  const { versions, arch } = process;
  const name = `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs} ${versions.v8} ${arch} ${partName(part)}`;
  return sha256(Buffer.from(name)).toString("hex").slice(0, 32);
}

interface Stored {
  readonly data: Buffer;
  /** When the first run stored code, in Unix milliseconds. */
  readonly firstMs: number;
  /** Whether to add what this run compiles: after twice the time that passed until the last look. */
  readonly isDue: boolean;
}

/** Reads a file that this user wrote, and verifies its checksum. */
function read(file: string): Stored | undefined {
  let fd: number | undefined;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stats = fs.fstatSync(fd);
    const isOwn = stats.isFile() && stats.uid === process.getuid?.() && (stats.mode & othersMayWrite) === 0;
    if (!isOwn || stats.size > largestFileBytes) return undefined;
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    if (fs.readSync(fd, bytes) < bytes.length) return undefined;
    const content = bytes.subarray(digestBytes);
    if (!sha256(content).equals(bytes.subarray(0, digestBytes))) return undefined;
    const firstMs = content.readDoubleLE();
    const isDue = Date.now() - stats.mtimeMs >= stats.mtimeMs - firstMs;
    return { data: content.subarray(timeBytes), firstMs, isDue };
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** Stores the code of this run and of those before: a pull of an image that is cached compiles other functions than one that is not. */
function store(file: string, data: Buffer, before: Stored | undefined): void {
  const temporary = `${file}.${process.pid}`;
  const nowMs = Date.now();
  const time = Buffer.alloc(timeBytes);
  time.writeDoubleLE(before?.firstMs ?? nowMs);
  try {
    if (before !== undefined && data.length < before.data.length * (1 + leastGrowth)) {
      fs.utimesSync(file, nowMs / 1000, nowMs / 1000);
      return;
    }
    const content = Buffer.concat([time, data]);
    fs.writeFileSync(temporary, Buffer.concat([sha256(content), content]), { flag: "wx", mode: 0o600 });
    fs.renameSync(temporary, file);
    removeOld(dirname(file));
  } catch {
    // Nothing depends on it, and the next run tries again.
    removeIfPossible(temporary);
  }
}

/** Removes a partial file, which may exist if the disk is full. */
function removeIfPossible(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {}
}

/** Removes files of old versions. A file that is still used is written again. */
function removeOld(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - fs.lstatSync(path).mtimeMs > maxAgeMs) fs.rmSync(path, { recursive: true });
  }
}

function sha256(data: Uint8Array): Buffer {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(data).digest();
}
