import { existsSync, statSync } from "node:fs";
import { isMediaType, MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { parseAnnotation } from "../input/only-files.js";
import { UsageError } from "../input/usage-error.js";
import { archiveTransport, type FileInput, goesToStdout, hasTransport, openCache } from "../wire.js";
import { moveSettings } from "./move-settings.js";
import { transferImage, transferWithProgress } from "./pull.js";

interface PushOptions {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly withReferrers?: boolean;
  readonly force?: boolean;
  readonly artifactType?: string;
  readonly annotation?: readonly string[];
}

/** Pushes one image, given with its transport, or files and directories, given as paths. */
export async function push(
  context: Context,
  sources: readonly string[],
  destination: string,
  options: PushOptions,
): Promise<void> {
  const image = sources.find(hasTransport);
  if (image === undefined) return pushFiles(context, sources, destination, options);
  if (sources.length > 1)
    throw new UsageError(`cannot push image ${image} together with other sources; push one image, or files`);
  if (options.artifactType !== undefined || options.annotation !== undefined) {
    throw new UsageError("--artifact-type and --annotation apply to files, not to images");
  }
  return transferImage(context, image, destination, options);
}

async function pushFiles(
  context: Context,
  paths: readonly string[],
  destination: string,
  options: PushOptions,
): Promise<void> {
  const { out } = context;
  const { artifactType } = options;
  if (options.platform !== undefined || options.allPlatforms || options.withReferrers) {
    throw new UsageError("--platform, --all-platforms and --with-referrers apply to images, not to files");
  }
  if (artifactType !== undefined && !isMediaType(artifactType)) {
    throw new UsageError(
      `--artifact-type ${artifactType} is not a valid media type; use one such as application/vnd.acme.model`,
    );
  }
  const annotations = Object.fromEntries((options.annotation ?? []).map(parseAnnotation));
  const files = paths.map(readFileArgument);
  await assertNoImages(files);
  if (await goesToStdout(destination)) out.leaveStdout();
  await using mote = await openCache(context, { cacheOptional: true });
  const { platform: _, ...moving } = moveSettings(context);
  const given = { ...moving, artifactType, annotations, overwrite: options.force };
  await transferWithProgress(context, { files }, destination, (onEvent) =>
    mote.pushFiles(files, destination, { ...given, onEvent }),
  );
}

/** Asks what is meant by an archive of images without a media type. @throws UsageError */
async function assertNoImages(files: readonly FileInput[]): Promise<void> {
  for (const { path, mediaType } of files) {
    const isTar = mediaType === undefined && /\.tar$/i.test(path) && statSync(path).isFile();
    const transport = isTar ? await archiveTransport(path) : undefined;
    if (transport === undefined) continue;
    throw new UsageError(
      `${path} contains images; did you mean ${transport}:${path}? To push the file itself, write ${path}:application/x-tar`,
    );
  }
}

/** Parses PATH or PATH:MEDIATYPE. If a file with the complete text as its name exists, the text is a path. */
function readFileArgument(text: string): FileInput {
  if (existsSync(text)) return { path: text };
  const colon = text.lastIndexOf(":");
  const [path, mediaType] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  if (existsSync(path) && isMediaType(mediaType)) return { path, mediaType };
  if (existsSync(path))
    throw new UsageError(`${text}: "${mediaType}" is not a valid media type; use one such as text/csv`);
  throw new MoteError(
    "MOTE_NOT_FOUND",
    `file ${text} does not exist; an image needs a transport, such as oci:DIR:TAG`,
    { details: { path: text } },
  );
}
