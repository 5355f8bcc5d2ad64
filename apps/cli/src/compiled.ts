import fs from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const digestBytes = 32;
/** What a long run compiled is thrown away by the engine while it runs; such a run is no model for others. */
const longestRunMs = 5000;
const strangersMayWrite = 0o022;
const keepForMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Runs a file that is a CommonJS module's function with what an earlier run of the same `part` of it had compiled, which saves a third of
 * the time to start, and keeps what this run compiles for the next one. As with Node's own compile cache, `NODE_COMPILE_CACHE` names the folder, and
 * `NODE_DISABLE_COMPILE_CACHE` turns it off. Whatever is wrong with a kept file, it is not used, and made anew.
 */
export function runCompiled<T>(file: URL, { require, part }: { require: NodeJS.Require; part: string }): T {
  const filename = fileURLToPath(file);
  const source = fs.readFileSync(filename);
  const kept = keptFile(source, part);
  const cachedData = kept === undefined ? undefined : read(kept);
  const { Script } = process.getBuiltinModule("node:vm");
  const script = new Script(source.toString(), { filename, cachedData });
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
function keptFile(source: Uint8Array, part: string): string | undefined {
  const { env, versions, arch, getuid } = process;
  if (env.NODE_DISABLE_COMPILE_CACHE || getuid === undefined) return undefined;
  const folder = join(env.NODE_COMPILE_CACHE || env.XDG_CACHE_HOME || join(homedir(), ".cache"), "mote-compiled");
  const { createHash } = process.getBuiltinModule("node:crypto");
  const name = createHash("sha256").update(source).update(`${versions.v8} ${arch} ${part}`).digest("hex").slice(0, 32);
  return join(folder, name);
}

/** The engine runs what it is given: so only from one's own hands, and as it was written. */
function read(file: string): Buffer | undefined {
  try {
    const { uid, mode } = fs.statSync(file);
    if (uid !== process.getuid?.() || (mode & strangersMayWrite) !== 0) return undefined;
    const bytes = fs.readFileSync(file);
    const data = bytes.subarray(digestBytes);
    return sha256(data).equals(bytes.subarray(0, digestBytes)) ? data : undefined;
  } catch {
    return undefined;
  }
}

function keep(file: string, data: Buffer): void {
  const made = `${file}.${process.pid}`;
  try {
    makeFolder(dirname(file));
    fs.writeFileSync(made, Buffer.concat([sha256(data), data]), { flag: "wx", mode: 0o600 });
    fs.renameSync(made, file);
    sweep(dirname(file));
  } catch {
    // The next run tries again; nothing depends on it.
    removeIfPossible(made);
  }
}

/** What there was no room for takes none. */
function removeIfPossible(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {}
}

/** Of versions that are gone. What is still used is made anew. */
function sweep(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - fs.statSync(path).mtimeMs > keepForMs) fs.unlinkSync(path);
  }
}

/** Not the home of who has none. */
function makeFolder(folder: string): void {
  for (const path of [dirname(folder), folder]) {
    if (!fs.existsSync(path)) fs.mkdirSync(path, { mode: 0o700 });
  }
}

function sha256(data: Uint8Array): Buffer {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(data).digest();
}
