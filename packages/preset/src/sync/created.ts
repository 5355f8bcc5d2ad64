import {
  type Cancellable,
  type ContentSource,
  collectChunks,
  type Descriptor,
  type Manifest,
  parseJsonRecord,
  parseManifest,
  type Ref,
} from "@mote/core";

const maxConfigBytes = 4 * 1024 * 1024;
const maxDepth = 4;

/**
 * Returns when an image was created, in Unix milliseconds: the annotation `org.opencontainers.image.created`, or `created` in its config; of an
 * index, of its first image. 0 if that is unknown. @throws what the source throws
 */
export async function createdMs(source: ContentSource, ref: Ref, options: Cancellable): Promise<number> {
  let descriptor: Descriptor | undefined = await source.resolve(ref, { ...options, manifestFollows: true });
  for (let depth = 0; descriptor !== undefined && depth < maxDepth; depth++) {
    const manifest: Manifest = parseManifest(await source.manifest(descriptor, options), descriptor.mediaType);
    const annotated = timeOf(manifest.annotations?.["org.opencontainers.image.created"]);
    if (annotated > 0) return annotated;
    if (manifest.kind !== "index") return createdInConfig(source, manifest.config, options);
    descriptor = manifest.manifests[0];
  }
  return 0;
}

async function createdInConfig(
  source: ContentSource,
  config: Descriptor | undefined,
  options: Cancellable,
): Promise<number> {
  if (config === undefined || config.size > maxConfigBytes) return 0;
  await using reader = await source.blob(config, options);
  const bytes = await collectChunks(reader, { maxBytes: maxConfigBytes, what: config.digest });
  return timeOf(parseJsonRecord(bytes)?.created);
}

function timeOf(value: unknown): number {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isFinite(time) ? time : 0;
}
