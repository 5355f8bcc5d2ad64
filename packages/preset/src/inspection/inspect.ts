import {
  artifactTypeOf,
  type Descriptor,
  isImageManifestType,
  isIndexType,
  type Manifest,
  MoteError,
  manifestKind,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { readOrigin } from "../references/origin.js";
import { summarizeReferrers } from "../sources/summarize-referrers.js";
import { baseOf, describeImage, entryOf } from "./describe-image.js";
import { defined } from "./image-config.js";
import { type ImageContent, readImage } from "./image-content.js";
import type { InspectedEntry, InspectedImage, Inspection, InspectOptions } from "./inspection.js";
import { pickImage } from "./pick-image.js";

/** Maximum nesting of indexes. */
const maxIndexDepth = 16;
/** Maximum number of manifests that are read. */
const maxManifests = 1000;

/** Inspects a reference as `OpenMote.inspect` does. */
export async function inspect(parts: Parts, reference: string, options: InspectOptions): Promise<Inspection> {
  const { cache, references } = parts;
  const { platform, signal } = options;
  const from = await readOrigin(cache, references, reference);
  const name = typeof from === "string" ? from : references.format(from);
  return readImage(from, parts, { platform, signal }, async (content) => {
    const { root } = content;
    const manifest = await content.manifest(root);
    const found = await imagesOf(content, manifest, parts, { ...options, name });
    const { artifactType, annotations, subject } = manifest;
    const kind = manifestKind(manifest);
    return defined<Inspection>({
      reference: name,
      digest: root.digest,
      mediaType: root.mediaType,
      size: root.size,
      kind: kind === "index" || kind === "artifact" ? kind : "image",
      artifactType: kind === "artifact" ? artifactTypeOf(manifest) : artifactType,
      annotations,
      base: baseOf(annotations),
      subject: subject?.digest,
      ...found,
      ...(await referrersOf(content, parts, options)),
    });
  });
}

type Images = Pick<Inspection, "images" | "others">;

async function imagesOf(
  content: ImageContent,
  manifest: Manifest,
  parts: Parts,
  { platform, allPlatforms = false, signal, name }: InspectOptions & { readonly name: string },
): Promise<Images> {
  const { root } = content;
  const describe = (descriptor: Descriptor, read: Manifest | undefined) =>
    describeImage(content, parts, descriptor, read, { readsConfig: platform !== undefined || allPlatforms });
  if (manifest.kind === "manifest") {
    if (platform !== undefined) await pickImage(content, name, platform);
    const image = await describeImage(content, parts, root, manifest, { readsConfig: true });
    return { images: [image], others: [] };
  }
  if (platform !== undefined) {
    const picked = await pickImage(content, name, platform);
    return { images: [await describe(picked.descriptor, picked.manifest)], others: [] };
  }
  const images: InspectedImage[] = [];
  const others: InspectedEntry[] = [];
  let read = 0;
  const walk = async (entries: readonly Descriptor[], depth: number): Promise<void> => {
    for (const entry of entries) {
      signal?.throwIfAborted();
      const mayRead = ++read <= maxManifests && (isIndexType(entry.mediaType) || isImageManifestType(entry.mediaType));
      const child = !mayRead
        ? undefined
        : await (allPlatforms ? content.manifest(entry) : content.manifestIfHere(entry));
      if (child?.kind === "index" && depth < maxIndexDepth) await walk(child.manifests, depth + 1);
      else if (isImage(entry)) images.push(await describe(entry, child));
      else others.push(entryOf(entry));
    }
  };
  await walk(manifest.manifests, 1);
  return { images, others };
}

/** BuildKit lists attestations in the index, with the platform unknown/unknown. */
function isImage({ mediaType, platform }: Descriptor): boolean {
  return isImageManifestType(mediaType) && platform?.os !== "unknown";
}

/** Artifact types of signatures: of Notation, of cosign, and bundles of Sigstore. */
const signatureTypes = /(?:^|[./+-])(?:sig|signature|sigstore\.bundle)(?:[./+-]|$)/;

async function referrersOf(
  { source, root }: ImageContent,
  { logger }: Parts,
  { signal }: InspectOptions,
): Promise<Pick<Inspection, "referrers" | "signatures" | "warnings">> {
  try {
    const { referrers, tags } = await summarizeReferrers(source, root, { signal });
    return {
      referrers: referrers.map((each) => defined({ ...entryOf(each), artifactType: each.artifactType })),
      signatures: [
        ...referrers.flatMap(({ digest, artifactType }) =>
          artifactType !== undefined && signatureTypes.test(artifactType) ? { digest, artifactType } : [],
        ),
        ...tags.filter((tag) => tag.endsWith(".sig")).map((tag) => ({ tag })),
      ],
      warnings: [],
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    const warning = `cannot list the referrers: ${error.message}`;
    logger.warn(warning);
    return { warnings: [warning] };
  }
}
