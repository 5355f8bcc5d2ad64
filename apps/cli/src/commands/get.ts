import { detailOf, hasCode, isNotFound, MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { nearest } from "../input/nearest.js";
import { UsageError } from "../input/usage-error.js";
import { fileLine } from "../output/image-file-text.js";
import { placedLines, warnOfSkipped } from "../output/placed-files.js";
import { escapeText } from "../output/terminal-text.js";
import { showProgress } from "../progress/transfer-progress.js";
import { type ImageFiles, openCache } from "../wire.js";

interface GetOptions {
  readonly output?: string;
  readonly list: boolean;
  readonly platform?: string;
  readonly offline: boolean;
  readonly force: boolean;
}

/** Gets files of an image, or lists them. */
export async function get(
  context: Context,
  image: string,
  paths: readonly string[],
  options: GetOptions,
): Promise<void> {
  const { out, signal, settings } = context;
  const { output, list, offline, force } = options;
  if (list && output !== undefined) throw new UsageError("cannot combine --list with --output");
  if (!list && paths.length === 0) throw new UsageError("PATH is missing: name files of the image, or use --list");
  if (output === undefined && paths.length > 1 && !list) {
    throw new UsageError("cannot write several files to stdout; use --output DIR, or --output - for a tar");
  }
  const platform = options.platform ?? onlyOf(settings.platform);
  const toStdout = !list && (output === undefined || output === "-");
  if (toStdout && out.json) throw new UsageError("cannot combine --json with a file on stdout; use --output DIR");
  await using mote = await openCache(context, { cacheOptional: !offline, offline });
  using progress = showProgress(out);
  try {
    await using files = await mote.files(image, { platform, signal, onEvent: progress.onEvent });
    if (files.chosenPlatform !== undefined) {
      out.note(`using ${files.chosenPlatform}; choose another platform with --platform`);
    }
    if (list) await listFiles(context, files, paths, () => progress.end());
    else if (toStdout) await write(context, files, paths, { isTar: output === "-", begin: () => progress.end() });
    else {
      const placed = await files.place(paths, output ?? ".", { overwrite: force, signal });
      progress.end();
      warnOfSkipped(out, placed);
      out.result({ image, digest: files.digest, output, ...placed }, placedLines(placed, output ?? "."));
    }
  } catch (error) {
    throw isNotFound(error) ? withSuggestion(error) : error;
  }
}

async function listFiles(
  { out }: Context,
  files: ImageFiles,
  paths: readonly string[],
  begin: () => void,
): Promise<void> {
  const found: ListedFile[] = [];
  for (const path of paths.length === 0 ? ["/"] : paths) {
    for await (const file of files.list(path)) found.push(listed(file));
  }
  begin();
  out.result(
    { digest: files.digest, files: found },
    found.map((file) => (out.quiet ? file.path : fileLine(file))),
  );
}

type ListedFile = Parameters<typeof fileLine>[0];

function listed(file: ListedFile & { readonly linkName: string }): ListedFile {
  const { path, type, size, mode, uid, gid, modifiedMs, linkName } = file;
  const target = type === "link" || type === "hard-link" ? { target: linkName } : {};
  return { path: `/${path}`, type, size, mode, uid, gid, modifiedMs, ...target };
}

/** Writes one file as it is; a directory, or several paths, as a tar. */
async function write(
  { out }: Context,
  files: ImageFiles,
  paths: readonly string[],
  { isTar, begin }: { readonly isTar: boolean; readonly begin: () => void },
): Promise<void> {
  const [first = "", ...others] = paths;
  const { type } = await files.find(first);
  if (type === "folder" && !isTar) {
    throw new UsageError(`${first} is a directory; use --output DIR, or --output - for a tar`);
  }
  const isOne = type !== "folder" && others.length === 0;
  // A terminal gets the text of a file, in which control characters are escaped.
  const decoder = out.columns === undefined ? undefined : new TextDecoder();
  for await (const chunk of isOne ? files.read(first) : files.tar(paths)) {
    begin();
    if (decoder === undefined || !isOne) await out.write(chunk);
    else await out.write(new TextEncoder().encode(shown(decoder.decode(chunk, { stream: true }))));
  }
}

function shown(text: string): string {
  return text
    .split("\n")
    .map((line) => line.split("\t").map(escapeText).join("\t"))
    .join("\n");
}

/** Adds the path that was probably meant. */
function withSuggestion(error: unknown): unknown {
  const [wanted, siblings, sameName] = ["wanted", "siblings", "sameName"].map((name) => detailOf(error, name));
  // Without the names of a folder, it is the image that does not exist.
  if (!hasCode(error, "MOTE_NOT_FOUND") || typeof wanted !== "string" || siblings === undefined) return error;
  const near = nearest(wanted, textsOf(siblings)) ?? textsOf(sameName)[0];
  const advice = near === undefined ? "list the files with --list" : `did you mean /${near}?`;
  const details = { path: detailOf(error, "path"), ...(near === undefined ? {} : { suggestion: `/${near}` }) };
  return new MoteError(error.code, `${error.message}; ${advice}`, { cause: error, details });
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** The setting may list several platforms, of which none is meant more than another. */
function onlyOf(platforms: string | undefined): string | undefined {
  return platforms?.includes(",") ? undefined : platforms;
}
