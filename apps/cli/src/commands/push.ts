import { existsSync } from "node:fs";
import { isMediaType, MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { references, transferSummary } from "../output/transfer-summary.js";
import { showProgress } from "../progress/transfer-progress.js";
import { type FileInput, goesToStdout, hasTransport, openCache } from "../wire.js";
import { move } from "./pull.js";

interface PushOptions {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly withReferrers?: boolean;
  readonly force?: boolean;
  readonly artifactType?: string;
  readonly annotation?: readonly string[];
}

/** One image, given with its transport, or files and folders, given as paths; and where they go. */
export async function push(
  context: Context,
  sources: readonly string[],
  destination: string,
  options: PushOptions,
): Promise<void> {
  const image = sources.find(hasTransport);
  if (image === undefined) return pushFiles(context, sources, destination, options);
  if (sources.length > 1) throw new UsageError(`push moves one image, or files: ${image} is an image among others`);
  if (options.artifactType !== undefined || options.annotation !== undefined) {
    throw new UsageError("--artifact-type and --annotation are for files; an image has its own");
  }
  return move(context, image, destination, options);
}

async function pushFiles(
  context: Context,
  paths: readonly string[],
  destination: string,
  options: PushOptions,
): Promise<void> {
  const { out, signal, settings } = context;
  const { artifactType } = options;
  if (options.platform !== undefined || options.allPlatforms || options.withReferrers) {
    throw new UsageError("--platform, --all-platforms and --with-referrers are for images, not for files");
  }
  if (artifactType !== undefined && !isMediaType(artifactType)) {
    throw new UsageError(`--artifact-type ${artifactType}: wants a media type, such as application/vnd.acme.model`);
  }
  const annotations = Object.fromEntries((options.annotation ?? []).map(parseAnnotation));
  const files = paths.map(readFileArgument);
  if (await goesToStdout(destination)) out.leaveStdout();
  await using mote = await openCache(context, { cacheOptional: true });
  const progress = showProgress(out);
  try {
    const { onEvent } = progress;
    const report = await mote.pushFiles(files, destination, {
      signal,
      onEvent,
      artifactType,
      annotations,
      overwrite: options.force ?? false,
      concurrency: settings.concurrency,
    });
    progress.end();
    out.result(
      { files, destination, ...report },
      out.quiet ? references(report) : transferSummary(report, destination),
    );
  } finally {
    progress.end();
  }
}

/** What is there under the whole text is meant by it; only else is what follows the last colon a media type. */
function readFileArgument(text: string): FileInput {
  if (existsSync(text)) return { path: text };
  const colon = text.lastIndexOf(":");
  const [path, mediaType] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  if (existsSync(path) && isMediaType(mediaType)) return { path, mediaType };
  if (existsSync(path)) throw new UsageError(`${text}: "${mediaType}" is no media type, such as text/csv`);
  throw new MoteError(
    "MOTE_NOT_FOUND",
    `there is no file ${text}; an image wants its transport in front, such as oci:DIR:TAG`,
    { details: { path: text } },
  );
}

function parseAnnotation(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`--annotation ${text}: wants KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
