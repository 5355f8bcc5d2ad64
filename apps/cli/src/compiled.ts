import fs from "node:fs";
import nodeModule from "node:module";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { homeFolders } from "@mote/core";
import { ownFolder } from "./input/private-folder.js";

const folderName = "mote-compiled";
const digestBytes = 32;
const largestFileBytes = 64 * 1024 * 1024;
/** What a long run compiled is thrown away by the engine while it runs; such a run is no model for others. */
const longestRunMs = 5000;
const othersMayWrite = 0o022;
const keepForMs = 30 * 24 * 60 * 60 * 1000;

/** Node's own cache, from 22.8 on. */
interface EngineCache {
  readonly enableCompileCache: (folder: string) => unknown;
  readonly getCompileCacheDir: () => string | undefined;
  /** From 22.10 on. */
  readonly flushCompileCache?: () => void;
}

/**
 * Loads a CommonJS module with what an earlier run of the same `part` of it had compiled, which saves a third of the time to
 * start, and keeps what this run compiles for the next one: in Node's own cache, and before Node 22.8 in ours. `NODE_COMPILE_CACHE` names
 * another folder, and `NODE_DISABLE_COMPILE_CACHE` turns it off, as for Node. The engine runs what the files say, so the folder
 * must be one that only this user can write to; without such a folder, nothing is kept.
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

/** A folder of its own for each command: the engine keeps only what the first run has compiled. */
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
  const source = fs.readFileSync(filename);
  const folder = cacheFolder();
  const kept = folder === undefined ? undefined : join(folder, keptName(source, part));
  const cachedData = kept === undefined ? undefined : read(kept);
  const { Script } = process.getBuiltinModule("node:vm");
  // Its characters are of one byte each.
  const script = new Script(nodeModule.wrap(source.toString("latin1")), { filename, cachedData });
  if (kept !== undefined && (cachedData === undefined || script.cachedDataRejected)) {
    process.once("exit", () => {
      if (performance.now() < longestRunMs) keep(kept, script.createCachedData());
    });
  }
  const module = { exports: {} as T };
  script.runInThisContext()(module.exports, require, module, filename, dirname(filename));
  return module.exports;
}

/** Of this very source, for this very engine: it asks for the length of the source only. */
function keptName(source: Uint8Array, part: string): string {
  const { versions, arch } = process;
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256")
    .update(source)
    .update(`${versions.v8} ${arch} ${partName(part)}`)
    .digest("hex")
    .slice(0, 32);
}

/** Takes only a file that this user wrote, as it was written. */
function read(file: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stats = fs.fstatSync(fd);
    const isOwn = stats.isFile() && stats.uid === process.getuid?.() && (stats.mode & othersMayWrite) === 0;
    if (!isOwn || stats.size > largestFileBytes) return undefined;
    const bytes = Buffer.alloc(stats.size);
    if (fs.readSync(fd, bytes) < bytes.length) return undefined;
    const data = bytes.subarray(digestBytes);
    return sha256(data).equals(bytes.subarray(0, digestBytes)) ? data : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

function keep(file: string, data: Buffer): void {
  const made = `${file}.${process.pid}`;
  try {
    fs.writeFileSync(made, Buffer.concat([sha256(data), data]), { flag: "wx", mode: 0o600 });
    fs.renameSync(made, file);
    removeOld(dirname(file));
  } catch {
    // The next run tries again; nothing depends on it.
    removeIfPossible(made);
  }
}

/** Where there was no space for it, it takes none. */
function removeIfPossible(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {}
}

/** Removes what versions that are gone have left. What is still used is written again. */
function removeOld(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - fs.lstatSync(path).mtimeMs > keepForMs) fs.rmSync(path, { recursive: true });
  }
}

function sha256(data: Uint8Array): Buffer {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(data).digest();
}
