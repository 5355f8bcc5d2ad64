import {
  configPlatform,
  type Descriptor,
  formatPlatform,
  labelOf,
  type Manifest,
  manifestKind,
  mediaTypes,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { defined, readImageConfig } from "./image-config.js";
import type { ImageContent } from "./image-content.js";
import type { BaseImage, InspectedConfig, InspectedEntry, InspectedImage, InspectedLayer } from "./inspection.js";

/** The annotation in which eStargz records the uncompressed size of a layer. */
const estargzSize = "io.containers.estargz.uncompressed-size";

export function entryOf({ digest, mediaType, size, annotations }: Descriptor): InspectedEntry {
  return defined({ digest, mediaType, size, annotations });
}

export function baseOf(annotations: Readonly<Record<string, string>> | undefined): BaseImage | undefined {
  const name = annotations?.["org.opencontainers.image.base.name"];
  const digest = annotations?.["org.opencontainers.image.base.digest"];
  return name === undefined && digest === undefined ? undefined : defined({ name, digest });
}

/** Describes an image, as far as its manifest is known. @param options.readsConfig read the config even if that is a request */
export async function describeImage(
  content: ImageContent,
  parts: Parts,
  descriptor: Descriptor,
  manifest: Manifest | undefined,
  { readsConfig }: { readonly readsConfig: boolean },
): Promise<InspectedImage> {
  const label = labelOf(descriptor);
  const entry = { ...entryOf(descriptor), platform: label && formatPlatform(label) };
  if (manifest?.kind !== "manifest") return defined({ ...entry, base: baseOf(descriptor.annotations) });
  const isImage = manifest.config !== undefined && manifestKind(manifest) === "image";
  const bytes = isImage ? await content.config(manifest.config, { ifHere: !readsConfig }) : undefined;
  const config = bytes && manifest.config && readImageConfig(bytes, manifest.config.digest);
  const own = bytes && configPlatform(bytes);
  const layers = await describeLayers(manifest.layers, config, parts);
  const sizes = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  const isKnown = sizes.every(({ uncompressedBytes }) => uncompressedBytes !== undefined);
  const annotations = { ...descriptor.annotations, ...manifest.annotations };
  return defined<InspectedImage>({
    ...entry,
    platform: entry.platform ?? (own && formatPlatform(own)),
    annotations: Object.keys(annotations).length === 0 ? undefined : annotations,
    base: baseOf(annotations),
    compressedBytes: sizes.reduce((sum, { size }) => sum + size, 0),
    uncompressedBytes: isKnown
      ? sizes.reduce((sum, { uncompressedBytes = 0 }) => sum + uncompressedBytes, 0)
      : undefined,
    layers,
    config,
  });
}

async function describeLayers(
  layers: readonly Descriptor[],
  config: InspectedConfig | undefined,
  parts: Parts,
): Promise<readonly InspectedLayer[]> {
  // Entries of the history that made a layer are in the order of the layers.
  const history = config?.history.filter(({ isEmpty }) => !isEmpty) ?? [];
  return Promise.all(
    layers.map(async (layer, at) =>
      defined<InspectedLayer>({
        ...entryOf(layer),
        uncompressedBytes: await uncompressedSize(layer, parts),
        createdBy: history.length === layers.length ? history[at]?.createdBy : undefined,
      }),
    ),
  );
}

/** Returns the uncompressed size of a layer, if it is known without reading the layer. */
async function uncompressedSize(layer: Descriptor, { bic, cache, logger }: Parts): Promise<number | undefined> {
  const { digest, mediaType, size, annotations } = layer;
  if (mediaType === mediaTypes.ociLayer || mediaType.endsWith(".tar")) return size;
  const declared = annotations?.[estargzSize];
  if (declared !== undefined && /^\d{1,15}$/.test(declared)) return Number(declared);
  try {
    const untransformed = await bic.untransformedDigest(digest);
    return untransformed && (await cache.find(untransformed))?.size;
  } catch (error) {
    logger.debug("cannot look up the uncompressed size of a layer", { digest, error });
    return undefined;
  }
}
