import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Cancellable, type Logger, MoteError, takeInventory } from "@mote/core";
import { incompleteManifests } from "../inventory/incomplete-images.js";
import { partialIndexes } from "../inventory/partial-indexes.js";
import { type OpenMoteOptions, openMote } from "../open-mote.js";
import { noCacheFolder } from "../references/home-paths.js";
import { examineAccess } from "./examine-access.js";

/** Something that was looked at. */
export interface Finding {
  /** What was looked at, in a word or two, such as `free space`. */
  readonly topic: string;
  /** `warn`: it works, but not as well as it could. `fail`: something that is needed does not work. */
  readonly state: "ok" | "warn" | "fail";
  readonly says: string;
  /** What to do about it. */
  readonly advice?: string;
}

export interface ExamineOptions extends Pick<OpenMoteOptions, "dir" | "plainHttp" | "registries">, Cancellable {
  /** Registries to be asked, as references name them. */
  readonly hosts?: readonly string[] | undefined;
}

const oldestNode = [20, 19] as const;
const [littleBytes, tooFewBytes] = [2e9, 100e6];
const littlePart = 0.05;
/** Of incomplete images, in one finding. */
const mostNames = 20;

/** Looks whether everything that mote needs is there and works. Changes nothing, and tells no secret. */
export async function* examineMote(options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  yield node();
  const { dir } = options;
  if (dir === undefined) yield { topic: "folder", state: "fail", says: noCacheFolder().message };
  else {
    yield* await folder(dir);
    yield await database(dir);
    yield* await content(options);
  }
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
    refusal,
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
    add("folder", "fail", refusal?.message ?? `${dir} is no folder`, "choose another folder with --cache DIR");
  else if (!isWritable && state === "absent")
    add("folder", "fail", `${dir} is not there and cannot be made`, "choose another folder with --cache DIR");
  else if (!isWritable)
    add("folder", "warn", `${dir} can only be read`, "mend its permissions or mount to let mote add to it");
  else if (state === "absent") add("folder", "ok", `${dir} is not there yet; the first pull makes it`);
  else add("folder", "ok", `${dir}${state === "layout" ? ", a layout by others, to be adopted" : ""}`);

  if (writableByAll.length > 0) {
    const folders = writableByAll.join(" ");
    add(
      "modes",
      "fail",
      `every user may write to ${folders}, and so replace what is in the cache`,
      `chmod o-w ${folders}`,
    );
  } else if (mode !== undefined) add("modes", "ok", mode.toString(8));

  if (freeBytes !== undefined && totalBytes) {
    const says = `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)}`;
    const advice = "prune (`mote prune --max-size SIZE`), or move the cache to a larger disk";
    if (freeBytes < tooFewBytes) add("free space", "fail", says, advice);
    else if (freeBytes < littleBytes && freeBytes < totalBytes * littlePart) add("free space", "warn", says, advice);
    else add("free space", "ok", says);
  }
  if (freeFiles !== undefined && freeFiles < 10_000) {
    add(
      "free files",
      "warn",
      `${freeFiles} more files can be made`,
      "remove files, or make the file system with more inodes",
    );
  }
  if (isNetwork) {
    add(
      "file system",
      "warn",
      `${fileSystem}, over a network`,
      "it works, slowly; a local disk is an order of magnitude faster",
    );
  } else add("file system", "ok", fileSystem);
  if (found.hasHardLinks !== undefined) {
    const kinds = [...(found.hasHardLinks ? ["hard links"] : []), ...(found.hasReflinks ? ["reflinks"] : [])];
    if (kinds.length === 0)
      add("links", "warn", "none", "layouts get copies; a file system with links saves the space");
    else add("links", "ok", kinds.join(" and "));
    if (found.keepsTimes) add("times of use", "ok", "kept (mote sets them itself, so noatime does no harm)");
    else
      add("times of use", "fail", "not kept", "prune cannot tell what was used: put the cache on another file system");
    if (!found.isCaseSensitive) add("case", "ok", "not told apart; digests do not need it");
  }
  const { unfinished, damaged } = found;
  if (unfinished.files > 0) {
    const says = `${unfinished.files} (${gigabytes(unfinished.bytes)})`;
    add("unfinished", "ok", `${says}: the next pull goes on from there, or they go after three days`);
  }
  if (damaged.files > 0) {
    const says = `${damaged.files} (${gigabytes(damaged.bytes)}) set aside in ${join(dir, ".mote", "quarantine")}`;
    add(
      "damaged",
      "warn",
      says,
      "`mote verify --repair` fetches what images lack, and `mote prune` removes these files; if it comes again, check the disk",
    );
  }
  return findings;
}

/** Reads everything in the database: what it notices of itself reaches the logger. */
async function database(dir: string): Promise<Finding> {
  const topic = "blob info";
  const path = join(dir, ".mote", "blob-info.lmdb");
  if (!existsSync(path)) return { topic, state: "ok", says: "nothing is known yet" };
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
      const advice = `move ${path} away: it only holds what saves transfers, and is begun anew`;
      return { topic, state: "fail", says: `${path} cannot be used${warnings[0] ? `: ${warnings[0]}` : ""}`, advice };
    }
    if (mode === "read-only")
      return { topic, state: "warn", says: `${says}, read-only`, advice: "mend its permissions to let it learn" };
    if (warnings.length > 0)
      return { topic, state: "warn", says: warnings.join("; "), advice: "nothing: what was lost only saves transfers" };
    if (aside > 0) return { topic, state: "ok", says: `${says}; ${aside} damaged set aside beside it` };
    return { topic, state: "ok", says };
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    return { topic, state: "fail", says: error.message, advice: `move ${path} away` };
  }
}

async function content({ dir, signal }: ExamineOptions): Promise<Finding[]> {
  try {
    await using mote = await openMote({ dir, lookOnly: true });
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
          advice: "`mote verify --repair` fetches what they lack",
        },
      ];
    }
    const partial = partialIndexes(inventory).length;
    const some = partial === 0 ? "" : `; ${partial} with some platforms alone`;
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
