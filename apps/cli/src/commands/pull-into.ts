import type { Context } from "../context.js";
import { onlyFiles } from "../input/only-files.js";
import { UsageError } from "../input/usage-error.js";
import { count, formatBytes } from "../output/quantity.js";
import { showProgress } from "../progress/transfer-progress.js";
import { openCache, type PlacedModel } from "../wire.js";
import { moveSettings } from "./move-settings.js";
import type { PullOptions } from "./pull-options.js";

/** Places the files of a model where a tool looks for them. */
export async function pullInto(
  context: Context,
  source: string,
  destination: string | undefined,
  { into, offline = false, ...options }: PullOptions & { readonly into: string },
): Promise<void> {
  const { out } = context;
  if (destination !== undefined) throw new UsageError(`cannot combine --into with the destination ${destination}`);
  if (options.unpack !== undefined) throw new UsageError("cannot combine --into with --unpack");
  if (options.link) throw new UsageError("cannot combine --into with --link: files are links already where possible");
  const only = onlyFiles(options);
  if (only !== undefined && into === "ollama") {
    throw new UsageError("cannot combine --into ollama with --only: Ollama needs all files of a model");
  }
  await using mote = await openCache(context, { cacheOptional: !offline, offline });
  using progress = showProgress(out);
  const { report, ...placed } = await mote.place(source, into, {
    ...moveSettings(context, options),
    onEvent: progress.onEvent,
    overwrite: options.force,
    preferCached: options.preferCached,
    only,
  });
  out.result({ source, ...report, placed }, placedLines(placed));
}

function placedLines({ tool, name, dir, files: all }: Omit<PlacedModel, "report">): string[] {
  const files = all.filter(({ size }) => size !== undefined);
  const links = files.filter(({ isHardLink }) => isHardLink).length;
  const bytes = files.reduce((sum, { size = 0 }) => sum + size, 0);
  const shared = links > 0 ? `, of them ${count(links, "hard link")}` : "";
  const unpacked = files.length < all.length ? ", and the content of archives" : "";
  return [
    `placed ${count(files.length, "file")}, ${formatBytes(bytes)}${shared}${unpacked} → ${dir}`,
    `${tool} calls it ${name}`,
  ];
}
