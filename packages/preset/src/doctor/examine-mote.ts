import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Logger, takeInventory } from "@mote/core";
import { incompleteManifests } from "../inventory/incomplete-images.js";
import { partialIndexes } from "../inventory/partial-indexes.js";
import { openMote } from "../open-mote.js";
import { noCacheFolder } from "../references/home-paths.js";
import { examineAccess } from "./examine-access.js";
import { examineBucket } from "./examine-bucket.js";
import { examineTier } from "./examine-tier.js";
import { type ExamineOptions, type Finding, finding, findingsOf } from "./finding.js";

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
    const { signal } = options;
    const findings = await findingsOf("cache", { signal }, () => examineBucket(cache, { topic: "cache", signal }));
    yield* findings;
    if (findings.every(({ state }) => state !== "fail")) yield* await content(options);
  } else if (dir === undefined) yield finding("folder", "fail", noCacheFolder().message);
  else {
    yield* await folder(dir);
    if (typeof options.bic !== "string") yield* await database(dir);
    yield* await content(options);
  }
  yield* examineTier(options);
  yield* examineAccess(options);
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isRecent = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const says = `${process.versions.node} on ${process.platform} ${process.arch}`;
  if (isRecent) return finding("node", "ok", says);
  return finding("node", "fail", says, `install ${oldestNode.join(".")} or newer`);
}

async function folder(dir: string): Promise<Finding[]> {
  const { examineFolder } = await import("@mote/fs");
  const found = examineFolder(dir);
  const { state, error, mode, writableByAll, isWritable, freeBytes, totalBytes, freeFiles } = found;
  const { isNetwork, fileSystem = "unknown" } = found;
  const findings: Finding[] = [];
  const add = (...found: Parameters<typeof finding>) => findings.push(finding(...found));

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
    const says = `the file system has only ${freeFiles} free inodes`;
    add("free files", "warn", says, "remove files, or use a file system with more inodes");
  }
  if (isNetwork) {
    const advice = "it works but is slow; a local disk is much faster";
    add("file system", "warn", `${fileSystem}, a network file system`, advice);
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
    const advice =
      "run `mote verify --repair` to re-download missing content and `mote prune` to remove these files; if it happens again, check the disk";
    add("damaged", "warn", says, advice);
  }
  return findings;
}

/** Reads the complete database. It logs damage. */
async function database(dir: string): Promise<Finding[]> {
  const topic = "blob info";
  const path = join(dir, ".mote", "blob-info.lmdb");
  if (!existsSync(path)) return [finding(topic, "ok", "no records yet")];
  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(text);
  const logger: Logger = { debug() {}, info() {}, warn, error: warn };
  const { LmdbBlobInfoCache } = await import("@mote/bic-lmdb");
  await using bic = new LmdbBlobInfoCache(path, { logger });
  return await findingsOf(topic, { advice: `move ${path} away` }, async () => {
    const { locations, sizeBytes, mode } = await bic.statistics();
    const says = `${locations} locations in ${gigabytes(sizeBytes)}`;
    const aside = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`)).length;
    if (mode === "memory") {
      const advice = `move ${path} away; mote creates a new one, and only records that save transfers are lost`;
      return [finding(topic, "fail", `cannot use ${path}${warnings[0] ? `: ${warnings[0]}` : ""}`, advice)];
    }
    if (mode === "read-only")
      return [finding(topic, "warn", `${says}, read-only`, "make it writable to record new locations")];
    if (warnings.length > 0) {
      const advice = "no action needed: the lost records only save transfers";
      return [finding(topic, "warn", warnings.join("; "), advice)];
    }
    return [finding(topic, "ok", aside > 0 ? `${says}; ${aside} damaged files next to it` : says)];
  });
}

function content({ dir, cache, signal }: ExamineOptions): Promise<Finding[]> {
  const topic = "images";
  return findingsOf(topic, { signal }, async () => {
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
      const advice = "run `mote verify --repair` to re-download missing content";
      return [finding(topic, "warn", `${motes}; incomplete: ${what}`, advice)];
    }
    const partial = partialIndexes(inventory).length;
    const some = partial === 0 ? "" : `; ${partial} with only some platforms`;
    return [finding(topic, "ok", `${motes}, all images complete${some}`)];
  });
}

function gigabytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes < 1e3) return `${bytes} B`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}
