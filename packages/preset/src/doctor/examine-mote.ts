import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Logger, MoteError, takeInventory } from "@mote/core";
import { incompleteManifests } from "../inventory/incomplete-images.js";
import { partialIndexes } from "../inventory/partial-indexes.js";
import { openMote } from "../open-mote.js";
import { noCacheFolder } from "../references/home-paths.js";
import { examineAccess } from "./examine-access.js";
import { examineBucket } from "./examine-bucket.js";
import { examineTier } from "./examine-tier.js";
import type { ExamineOptions, Finding } from "./finding.js";

const oldestNode = [20, 19] as const;
const [littleBytes, tooFewBytes] = [2e9, 100e6];
const littlePart = 0.05;
/** Limit on the names of incomplete images in one finding. */
const mostNames = 20;

/** Checks the environment. Reveals no secrets, and changes nothing, except that it writes a few bytes to a tier, a bucket or a Redis and removes them. */
export async function* examineMote(options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  yield node();
  const { dir, cache } = options;
  if (typeof cache === "string") {
    const findings = await bucket(cache, options);
    yield* findings;
    if (findings.every(({ state }) => state !== "fail")) yield* await content(options);
  } else if (dir === undefined) yield { topic: "folder", state: "fail", says: noCacheFolder().message };
  else {
    yield* await folder(dir);
    if (typeof options.bic !== "string") yield await database(dir);
    yield* await content(options);
  }
  yield* examineTier(options);
  yield* examineAccess(options);
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isRecent = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const says = `${process.versions.node} on ${process.platform} ${process.arch}`;
  if (isRecent) return { topic: "node", state: "ok", says };
  return { topic: "node", state: "fail", says, advice: `install ${oldestNode.join(".")} or newer` };
}

async function folder(dir: string): Promise<Finding[]> {
  const { examineFolder } = await import("@mote/fs");
  const found = examineFolder(dir);
  const {
    state,
    error,
    mode,
    writableByAll,
    isWritable,
    freeBytes,
    totalBytes,
    freeFiles,
    isNetwork,
    fileSystem = "unknown",
  } = found;
  const findings: Finding[] = [];
  const add = (topic: string, problem: Finding["state"], says: string, advice?: string) =>
    findings.push({ topic, state: problem, says, ...(advice === undefined ? {} : { advice }) });

  if (state === "refused")
    add("folder", "fail", error?.message ?? `${dir} is not a directory`, "choose another directory with --cache DIR");
  else if (!isWritable && state === "absent")
    add("folder", "fail", `cannot create ${dir}`, "choose another directory with --cache DIR");
  else if (!isWritable) add("folder", "warn", `${dir} is read-only`, "make it writable to let mote add content");
  else if (state === "absent") add("folder", "ok", `${dir} does not exist yet; the first pull creates it`);
  else
    add("folder", "ok", `${dir}${state === "layout" ? ", an OCI layout by another tool, which mote will adopt" : ""}`);

  if (writableByAll.length > 0) {
    const folders = writableByAll.join(" ");
    add("modes", "fail", `all users can write to ${folders} and replace cached content`, `chmod o-w ${folders}`);
  } else if (mode !== undefined) add("modes", "ok", mode.toString(8));

  if (freeBytes !== undefined && totalBytes) {
    const says = `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)}`;
    const advice = "run `mote prune --max-size SIZE`, or move the cache to a larger disk";
    if (freeBytes < tooFewBytes) add("free space", "fail", says, advice);
    else if (freeBytes < littleBytes && freeBytes < totalBytes * littlePart) add("free space", "warn", says, advice);
    else add("free space", "ok", says);
  }
  if (freeFiles !== undefined && freeFiles < 10_000) {
    add(
      "free files",
      "warn",
      `the file system has only ${freeFiles} free inodes`,
      "remove files, or use a file system with more inodes",
    );
  }
  if (isNetwork) {
    add(
      "file system",
      "warn",
      `${fileSystem}, a network file system`,
      "it works but is slow; a local disk is much faster",
    );
  } else add("file system", "ok", fileSystem);
  if (found.hasHardLinks !== undefined) {
    const kinds = [...(found.hasHardLinks ? ["hard links"] : []), ...(found.hasReflinks ? ["reflinks"] : [])];
    if (kinds.length === 0)
      add("links", "warn", "none", "destinations get copies; a file system with links saves space");
    else add("links", "ok", kinds.join(" and "));
    if (found.keepsTimes) add("access times", "ok", "supported (mote sets them explicitly, so noatime is fine)");
    else add("access times", "fail", "not supported", "prune needs them; use another file system");
    if (!found.isCaseSensitive) add("case", "ok", "file names are case-insensitive, which is fine for digests");
  }
  const { unfinished, damaged } = found;
  if (unfinished.files > 0) {
    const says = `${unfinished.files} (${gigabytes(unfinished.bytes)})`;
    add("unfinished", "ok", `${says}; the next pull resumes them, or they are removed after three days`);
  }
  if (damaged.files > 0) {
    const says = `${damaged.files} (${gigabytes(damaged.bytes)}) in quarantine in ${join(dir, ".mote", "quarantine")}`;
    add(
      "damaged",
      "warn",
      says,
      "run `mote verify --repair` to re-download missing content and `mote prune` to remove these files; if it happens again, check the disk",
    );
  }
  return findings;
}

/** Reads the complete database. It logs damage. */
async function database(dir: string): Promise<Finding> {
  const topic = "blob info";
  const path = join(dir, ".mote", "blob-info.lmdb");
  if (!existsSync(path)) return { topic, state: "ok", says: "no records yet" };
  const warnings: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (text) => warnings.push(text),
    error: (text) => warnings.push(text),
  };
  const { LmdbBlobInfoCache } = await import("@mote/bic-lmdb");
  await using bic = new LmdbBlobInfoCache(path, { logger });
  try {
    const { locations, sizeBytes, mode } = await bic.statistics();
    const says = `${locations} locations in ${gigabytes(sizeBytes)}`;
    const aside = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`)).length;
    if (mode === "memory") {
      const advice = `move ${path} away; mote creates a new one, and only records that save transfers are lost`;
      return { topic, state: "fail", says: `cannot use ${path}${warnings[0] ? `: ${warnings[0]}` : ""}`, advice };
    }
    if (mode === "read-only")
      return { topic, state: "warn", says: `${says}, read-only`, advice: "make it writable to record new locations" };
    if (warnings.length > 0)
      return {
        topic,
        state: "warn",
        says: warnings.join("; "),
        advice: "no action needed: the lost records only save transfers",
      };
    if (aside > 0) return { topic, state: "ok", says: `${says}; ${aside} damaged files next to it` };
    return { topic, state: "ok", says };
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    return { topic, state: "fail", says: error.message, advice: `move ${path} away` };
  }
}

/** Checks a bucket that is the cache. */
async function bucket(url: string, { signal }: ExamineOptions): Promise<Finding[]> {
  try {
    return await examineBucket(url, { topic: "cache", signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return [{ topic: "cache", state: "fail", says: error.message }];
  }
}

async function content({ dir, cache, signal }: ExamineOptions): Promise<Finding[]> {
  try {
    await using mote = await openMote({ ...(cache === undefined ? { dir } : { cache }), readOnly: true });
    const inventory = await takeInventory(mote.cache, { signal });
    const incomplete = incompleteManifests(inventory);
    const names = [...new Set(incomplete.flatMap((manifest) => manifest.names))];
    const motes = `motes: ${inventory.motes.size}, names: ${inventory.tags.length}`;
    if (inventory.unreadable.size > 0 || incomplete.length > 0) {
      const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : "";
      const what =
        names.length > 0
          ? `${names.slice(0, mostNames).join(", ")}${more}`
          : `${incomplete.length + inventory.unreadable.size} images`;
      return [
        {
          topic: "images",
          state: "warn",
          says: `${motes}; incomplete: ${what}`,
          advice: "run `mote verify --repair` to re-download missing content",
        },
      ];
    }
    const partial = partialIndexes(inventory).length;
    const some = partial === 0 ? "" : `; ${partial} with only some platforms`;
    return [{ topic: "images", state: "ok", says: `${motes}, all images complete${some}` }];
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return [{ topic: "images", state: "fail", says: error.message }];
  }
}

function gigabytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes < 1e3) return `${bytes} B`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}
