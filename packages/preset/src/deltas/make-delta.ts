import {
  type Cancellable,
  type Descriptor,
  type Digest,
  digestBytes,
  hasCode,
  isForeignLayer,
  mediaTypes,
  messageOf,
  writeMote,
} from "@mote/core";
import type { LayerRecipe, ReusedLayer } from "@mote/delta";
import { temporaryFolder } from "../files/temporary-folder.js";
import type { Parts } from "../parts.js";
import { maxOldBytes } from "../rebuild/image-deltas.js";
import type { RebuildQueue } from "../rebuild/rebuild-queue.js";
import { storedContent } from "../rebuild/stored-layer.js";
import { findEncoder } from "./find-encoder.js";
import type { MakingProgress } from "./making-progress.js";
import { storeDiff } from "./store-diff.js";
import type { ImagePair, PlatformImage } from "./stored-images.js";
import type { DeltaLayer, MadeDelta } from "./types.js";

export interface MakeDeltaOptions extends Cancellable {
  readonly queue: RebuildQueue;
  readonly progress: MakingProgress;
}

interface Planned {
  readonly layer: DeltaLayer;
  readonly recipe?: LayerRecipe | undefined;
  readonly reused?: ReusedLayer | undefined;
}

/** Makes the delta of one image and stores it in the cache, under its digest. @throws what the cache and the layers throw */
export async function makeDelta(
  parts: Parts,
  { from, to }: ImagePair,
  options: MakeDeltaOptions,
): Promise<Omit<MadeDelta, "reference"> & { readonly manifest: Descriptor }> {
  const { formatDelta, emptyJson } = await import("@mote/delta");
  const { cache } = parts;
  const { signal } = options;
  const found: Planned[] = [];
  for (const [at, layer] of to.layers.entries()) {
    const onBytes = options.progress.reading(layer.size);
    found.push(await planLayer(parts, from, { queue: options.queue, layer, diffId: to.diffIds[at], onBytes, signal }));
    onBytes(layer.size);
  }
  // Encoders and diffs take much memory, which is not needed at the same time.
  const planned = await patchLayers(parts, from, found, options);
  const delta = {
    subject: to.manifest,
    source: from.manifest.digest,
    sourceConfig: from.config.digest,
    recipes: planned.flatMap(({ recipe }) => recipe ?? []),
    reused: planned.flatMap(({ reused }) => reused ?? []),
  };
  const bytes = formatDelta(delta, to.config);
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await writeMote(cache, emptyJson.descriptor, emptyJson.bytes, { signal });
  await writeMote(cache, manifest, bytes, { signal });
  const layers = planned.map(({ layer }) => layer);
  const missing = layers.filter(({ how }) => how !== "stored");
  return {
    manifest,
    digest: manifest.digest,
    ...(to.platform === "" ? {} : { platform: to.platform }),
    source: from.manifest.digest,
    subject: to.manifest.digest,
    layers,
    newBytes: sum(missing.map(({ size }) => size)),
    deltaBytes:
      manifest.size + sum(missing.map(({ how, size, diffBytes = 0 }) => (how === "fetched" ? size : diffBytes))),
  };
}

interface NewLayer extends Cancellable {
  readonly queue: RebuildQueue;
  readonly layer: Descriptor;
  readonly diffId: Digest | undefined;
  readonly onBytes: (bytes: number) => void;
}

/** Finds out how a layer is made. The recipe of a patched layer lacks its diff. */
async function planLayer(parts: Parts, from: PlatformImage, work: NewLayer): Promise<Planned> {
  const { layer, diffId, queue, onBytes, signal } = work;
  const { digest, size } = layer;
  try {
    if (from.layers.some((each) => each.digest === digest)) {
      const reused = diffId === undefined ? undefined : { digest, diffId };
      return { layer: { digest, size, how: "stored" }, reused };
    }
    // A pull leaves foreign layers out, and does not use a delta from an image that it does not have whole.
    if (from.layers.some(isForeignLayer)) return fetched(layer, "the old image has foreign layers");
    if (isForeignLayer(layer)) return fetched(layer, "it is a foreign layer");
    const found = await findEncoder(layer, parts, { queue, onBytes, signal });
    if (found === undefined) return fetched(layer, "no encoder reproduces it");
    const { encoder, header, contentDigest } = found;
    const recipe = { layer: digest, encoder, header };
    if (!from.diffIds.includes(contentDigest)) return { layer: { digest, size, how: "patched", encoder }, recipe };
    return { layer: { digest, size, how: "encoded", encoder }, recipe, reused: { digest, diffId: contentDigest } };
  } catch (error) {
    signal?.throwIfAborted();
    if (!hasCode(error, "MOTE_TOO_LARGE", "MOTE_INVALID_ARCHIVE")) throw error;
    return fetched(layer, messageOf(error));
  }
}

/** Makes the diffs of the patched layers. */
async function patchLayers(
  parts: Parts,
  from: PlatformImage,
  planned: readonly Planned[],
  { progress, signal }: MakeDeltaOptions,
): Promise<readonly Planned[]> {
  const { makeTarDiff, OldFiles, tarDiffMediaType } = await import("@mote/delta");
  const { cache } = parts;
  await using folder = await temporaryFolder(cache, { signal });
  const dir = folder.path;
  const reading = ({ digest, size }: Pick<Descriptor, "digest" | "size">) => {
    const onBytes = progress.reading(size);
    return { content: storedContent(cache, digest, { onBytes, signal }), end: () => onBytes(size) };
  };
  const oldLayers = from.layers.map(reading);
  const isNeeded = planned.some(({ layer }) => layer.how === "patched");
  const contents = isNeeded ? oldLayers.map(({ content }) => content) : [];
  await using old = await OldFiles.open(contents, { dir, maxBytes: maxOldBytes, signal });
  for (const { end } of oldLayers) end();
  const patched: Planned[] = [];
  for (const plan of planned) {
    const { layer, recipe } = plan;
    const { content, end } = reading(layer);
    if (layer.how !== "patched" || recipe === undefined) patched.push(plan);
    else {
      const chunks = makeTarDiff(content, old, { signal });
      const diff = await storeDiff(cache, chunks, { dir, mediaType: tarDiffMediaType, below: layer.size, signal });
      if (diff === undefined) patched.push(fetched(layer, "its diff is not smaller"));
      else patched.push({ layer: { ...layer, diffBytes: diff.size }, recipe: { ...recipe, diff } });
    }
    end();
    progress.endLayer();
  }
  return patched;
}

function fetched({ digest, size }: Pick<Descriptor, "digest" | "size">, reason: string): Planned {
  return { layer: { digest, size, how: "fetched", reason } };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
