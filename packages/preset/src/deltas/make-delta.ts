import {
  type Cancellable,
  type Descriptor,
  type Digest,
  digestBytes,
  isForeignLayer,
  mediaTypes,
  writeMote,
} from "@mote/core";
import type { LayerRecipe, OldFiles, ReusedLayer } from "@mote/delta";
import { temporaryFolder } from "../files/temporary-folder.js";
import type { Parts } from "../parts.js";
import { maxOldBytes } from "../rebuild/image-deltas.js";
import type { RebuildQueue } from "../rebuild/rebuild-queue.js";
import { storedContent } from "../rebuild/stored-layer.js";
import { findEncoder } from "./find-encoder.js";
import { storeDiff } from "./store-diff.js";
import type { PlatformImage } from "./stored-images.js";
import type { DeltaLayer, MadeDelta } from "./types.js";

export interface MakeDeltaOptions extends Cancellable {
  readonly queue: RebuildQueue;
  /** Called with the number of bytes of a layer that its encoder has made. */
  readonly onBytes: (bytes: number) => void;
  /** Called after each layer. */
  readonly onLayer: (layer: DeltaLayer) => void;
}

interface Work extends MakeDeltaOptions {
  readonly parts: Parts;
  readonly from: PlatformImage;
  readonly dir: string;
  readonly oldFiles: () => Promise<OldFiles>;
}

interface Planned {
  readonly layer: DeltaLayer;
  readonly recipe?: LayerRecipe | undefined;
  readonly reused?: ReusedLayer | undefined;
}

/** Makes the delta of one image and stores it in the cache, under its digest. @throws what the cache and the layers throw */
export async function makeDelta(
  parts: Parts,
  { from, to }: { readonly from: PlatformImage; readonly to: PlatformImage },
  options: MakeDeltaOptions,
): Promise<Omit<MadeDelta, "reference"> & { readonly manifest: Descriptor }> {
  const { formatDelta, emptyJson } = await import("@mote/delta");
  const { cache } = parts;
  const { signal } = options;
  const planned = await planLayers(parts, { from, to }, options);
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

async function planLayers(
  parts: Parts,
  { from, to }: { readonly from: PlatformImage; readonly to: PlatformImage },
  options: MakeDeltaOptions,
): Promise<readonly Planned[]> {
  const { OldFiles } = await import("@mote/delta");
  const { cache } = parts;
  const { signal } = options;
  await using folder = await temporaryFolder(cache, { signal });
  let opening: Promise<OldFiles> | undefined;
  const oldFiles = () => {
    const contents = from.layers.map(({ digest }) => storedContent(cache, digest, { signal }));
    opening ??= OldFiles.open(contents, { dir: folder.path, maxBytes: maxOldBytes, signal });
    return opening;
  };
  try {
    const planned: Planned[] = [];
    for (const [at, layer] of to.layers.entries()) {
      const plan = await planLayer(layer, to.diffIds[at], { ...options, parts, from, dir: folder.path, oldFiles });
      planned.push(plan);
      options.onLayer(plan.layer);
    }
    return planned;
  } finally {
    const opened: OldFiles | undefined = await opening?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }
}

async function planLayer(layer: Descriptor, diffId: Digest | undefined, work: Work): Promise<Planned> {
  const { from, parts, dir, oldFiles, signal } = work;
  const { digest, size } = layer;
  const described = { digest, size };
  const fetched = (reason: string): Planned => ({ layer: { ...described, how: "fetched", reason } });
  const isStored = from.layers.some((each) => each.digest === digest);
  if (isStored) {
    const reused = diffId === undefined ? undefined : { digest, diffId };
    return { layer: { ...described, how: "stored" }, reused };
  }
  if (isForeignLayer(layer)) return fetched("it is a foreign layer");
  const found = await findEncoder(layer, parts, work);
  if (found === undefined) return fetched("no encoder reproduces it");
  const { encoder, header, contentDigest } = found;
  if (from.diffIds.includes(contentDigest)) {
    const recipe = { layer: digest, encoder, header };
    return { layer: { ...described, how: "encoded", encoder }, recipe, reused: { digest, diffId: contentDigest } };
  }
  const { makeTarDiff, tarDiffMediaType } = await import("@mote/delta");
  const content = storedContent(parts.cache, digest, { signal });
  const chunks = makeTarDiff(content, await oldFiles(), { signal });
  const diff = await storeDiff(parts.cache, chunks, { dir, mediaType: tarDiffMediaType, below: size, signal });
  if (diff === undefined) return fetched("its diff is not smaller");
  const recipe = { layer: digest, encoder, header, diff };
  return { layer: { ...described, how: "patched", encoder, diffBytes: diff.size }, recipe };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
