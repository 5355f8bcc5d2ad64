import fs from "node:fs";
import { MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { readList } from "../input/read-list.js";
import { UsageError } from "../input/usage-error.js";
import { reportFailure } from "../output/failure.js";
import { junitReport } from "../output/junit-report.js";
import { count, countFromOne, parseBytes } from "../output/quantity.js";
import { syncLines } from "../output/sync-report.js";
import { showSync } from "../progress/sync-progress.js";
import {
  type DeltaMode,
  goesToStdout,
  hasTransport,
  isArchiveFile,
  openCache,
  type SyncReport,
  type SyncSource,
  writeOutputFile,
} from "../wire.js";
import { moveSettings } from "./move-settings.js";

interface SyncCommandOptions {
  readonly tags?: readonly string[];
  readonly newest?: string;
  readonly sort?: "version" | "time" | "semver";
  readonly rename?: readonly string[];
  readonly without?: readonly string[];
  readonly split?: string;
  readonly platform?: string;
  readonly allPlatforms: boolean;
  readonly delta?: DeltaMode;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly delete: boolean;
  readonly yes: boolean;
  readonly junit?: string;
}

const maxListBytes = 64 * 1024 * 1024;

/** Copies many images, and reports what was done with each. */
export async function sync(
  context: Context,
  text: string,
  destination: string,
  options: SyncCommandOptions,
): Promise<void> {
  const { out, settings } = context;
  const { dryRun } = options;
  if (options.allPlatforms && options.platform !== undefined) {
    throw new UsageError("cannot combine --platform with --all-platforms");
  }
  if (options.delete && !options.yes && !dryRun) {
    throw new UsageError(
      "--delete removes images at the destination: confirm it with --yes, or see what it does with --dry-run",
    );
  }
  const { newest: newestText, sort, delta } = options;
  const newest =
    newestText === undefined
      ? undefined
      : { count: countFromOne("--newest", newestText), by: sort === "time" ? sort : ("version" as const) };
  const rename = renameRules(options.rename ?? []);
  const partBytes = options.split === undefined ? undefined : partBytesOf(options.split);
  if (await goesToStdout(destination)) out.leaveStdout();
  const source = await readSource(text);
  await using mote = await openCache(context, { cacheOptional: true });
  using progress = showSync(out, { label: dryRun ? "planning" : "syncing" });
  const report = await mote.sync(source, destination, {
    ...{ ...moveSettings(context, options), newest, rename, partBytes, delta, dryRun, ...progress },
    tags: options.tags,
    without: options.without,
    remove: options.delete,
    overwrite: options.force,
    referrers: settings.withReferrers,
  });
  progress.end();
  if (options.junit !== undefined) {
    await writeOutputFile(context, options.junit, chunksOf(junitReport(report)));
  }
  out.result(report, syncLines(report, out));
  reportFailures(context, report);
}

/** Prints a line on stderr for each failed image. */
function reportFailures({ out, dir, settings }: Context, report: SyncReport): void {
  const { images, removed, failed, unreadable = [] } = report;
  if (images.length === 0) out.warn("the list has no images, or none that match --tags; nothing was copied or removed");
  for (const { path, lines, firstLine } of unreadable) {
    const ignored = `${count(lines, "line")} of ${path} (--without)`;
    out.warn(
      `ignored ${ignored}, the first is line ${firstLine}: not a valid fact; write it again with mote bic export`,
    );
  }
  for (const { source, error } of images) {
    if (error === undefined) continue;
    const message = error.message.startsWith("line ") ? error.message : `cannot sync ${source}: ${error.message}`;
    const failure = new MoteError(error.code, message, error.details === undefined ? {} : { details: error.details });
    reportFailure(failure, { json: out.json, cache: dir, color: settings.color });
  }
  for (const { destination, state, reason } of removed) {
    if (state === "kept") out.warn(`kept ${destination}: ${reason}`);
  }
  if (failed > 0) process.exitCode = 1;
}

/** Reads a list, or returns the reference. */
async function readSource(text: string): Promise<SyncSource> {
  if (text === "-") return { list: await readList(text, maxListBytes) };
  if (hasTransport(text)) return text;
  const stats = fs.statSync(text, { throwIfNoEntry: false });
  if (stats === undefined && !text.includes("/")) {
    const repository = text.includes(".") ? "docker://HOST/REPOSITORY" : `docker://${text}`;
    throw new UsageError(`${text} does not exist; check the path of the list, or write ${repository} for a repository`);
  }
  if (stats === undefined && /^(?:\.{0,2}|~)\//.test(text)) {
    throw new MoteError("MOTE_NOT_FOUND", `${text} does not exist; check the path of the list`, {
      details: { path: text },
    });
  }
  if (stats === undefined) return text;
  if (stats.isDirectory()) throw new UsageError(`${text} is a directory; write oci:${text} for a layout`);
  if (await isArchiveFile(text)) return `oci-archive:${text}`;
  if (!stats.isFile()) return { list: fs.readFileSync(text, "utf8") };
  return { list: await readList(text, maxListBytes) };
}

function renameRules(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, prefix = "", name = ""] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
      if (prefix === "")
        throw new UsageError(`--rename ${pair} is not valid; write PREFIX=NAME, such as docker.io/library=base`);
      return [prefix, name];
    }),
  );
}

const smallestPart = 1024 * 1024;

function partBytesOf(text: string): number {
  const bytes = parseBytes(text);
  if (bytes < smallestPart) throw new UsageError(`--split ${text} is not valid; use a size of at least 1MiB`);
  return bytes;
}

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
