import { type Digest, MoteError, messageOf } from "@mote/core";
import type { Parts } from "../parts.js";
import { tagFilter } from "../patterns/glob.js";
import { RebuildQueue } from "../rebuild/rebuild-queue.js";
import { invalidReference } from "../references/invalid-reference.js";
import { SourcePool } from "../sources/source-pool.js";
import type { Mover } from "../transfers/mover.js";
import { RateLimits } from "../transfers/rate-limits.js";
import { type FoundImage, findImages } from "./find-images.js";
import type { ImageName } from "./image-name.js";
import { type MoveContext, moveImage } from "./move-image.js";
import { openTarget } from "./open-target.js";
import type { SyncTarget } from "./sync-target.js";
import type { RemovedName, SyncedImage, SyncOptions, SyncReport, SyncSource } from "./types.js";

const defaultImagesAtOnce = 6;

/** Moves the images of a source to a destination, as `OpenMote.sync` does. */
export async function sync(
  source: SyncSource,
  destination: string,
  options: SyncOptions,
  { parts, mover }: { readonly parts: Parts; readonly mover: Mover },
): Promise<SyncReport> {
  const startedMs = performance.now();
  const { imagesAtOnce = defaultImagesAtOnce, dryRun = false, maxRate } = options;
  if (!Number.isInteger(imagesAtOnce) || imagesAtOnce < 1)
    throw new TypeError("imagesAtOnce is an integer of at least 1");
  await using target = await openTarget(destination, parts, options);
  await using pool = new SourcePool(parts.endpoints);
  await using queue = new RebuildQueue();
  const found = placed(await findImages(source, parts, pool, options), target);
  const context: MoveContext = {
    ...options,
    ...{ parts, mover, pool, queue, target },
    rates: new RateLimits(maxRate),
    sent: new Set<Digest>(),
    planned: dryRun ? new Set<Digest>() : undefined,
  };
  const moved = await moveAll(found, imagesAtOnce, context, options);
  const hasFailed = moved.some(isFailed);
  const kept = found.flatMap((image) => (image.error === undefined ? [image.name] : []));
  // A list without images is more likely the output of a script that failed than an order to remove everything.
  const mayRemove = options.remove && !hasFailed && kept.length > 0;
  const others = mayRemove ? await removeOthers(target, kept, options) : [];
  const { images, removed } = dryRun
    ? { images: moved, removed: others }
    : await finish(target, { images: moved, removed: others }, options);
  const { unreadable = [] } = target;
  return {
    destination,
    images,
    removed,
    failed: images.filter(isFailed).length,
    blobs: sum(images.map(({ blobs }) => blobs)),
    bytes: sum(images.map(({ bytes }) => bytes)),
    ...(unreadable.length > 0 ? { unreadable } : {}),
    dryRun,
    durationMs: performance.now() - startedMs,
  };
}

type PlacedImage = FoundImage & { readonly destination?: string | undefined };

/** Adds the references at the destination. An image that is listed twice is moved once; two with one name are an error. */
function placed(images: readonly FoundImage[], target: SyncTarget): readonly PlacedImage[] {
  const byDestination = new Map<string, FoundImage>();
  return images.flatMap((image): PlacedImage[] => {
    if (image.error !== undefined) return [image];
    try {
      const destination = target.locate(image.name);
      const other = byDestination.get(destination);
      if (other === undefined) {
        byDestination.set(destination, image);
        return [{ ...image, destination }];
      }
      if (other.source === image.source) return [];
      const lines = image.line === undefined ? "" : ` (lines ${other.line} and ${image.line})`;
      const message = `${image.source} and ${other.source}${lines} would both be ${destination}; give one of them another name`;
      throw invalidReference(destination, message, "not unique");
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      return [{ source: image.source, line: image.line, error }];
    }
  });
}

async function moveAll(
  found: readonly PlacedImage[],
  imagesAtOnce: number,
  context: MoveContext,
  { onFound, onImage, signal }: SyncOptions,
): Promise<readonly SyncedImage[]> {
  onFound?.(found.length);
  const results: SyncedImage[] = [];
  const queue = found.entries();
  let done = 0;
  const work = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      signal?.throwIfAborted();
      const [at, image] = next.value;
      const result = await moveOne(image, context);
      results[at] = result;
      done++;
      onImage?.(result, { done, images: found.length });
    }
  };
  const working = await Promise.allSettled(Array.from({ length: Math.min(imagesAtOnce, found.length) }, work));
  for (const worker of working) if (worker.status === "rejected") throw worker.reason;
  return results;
}

async function moveOne(image: PlacedImage, context: MoveContext): Promise<SyncedImage> {
  const { source, line, destination } = image;
  const described = {
    source,
    ...(line === undefined ? {} : { line }),
    ...(destination === undefined ? {} : { destination }),
  };
  try {
    if (image.error !== undefined) throw image.error;
    return { ...described, ...(await moveImage(image, context)) };
  } catch (error) {
    context.signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return failedImage(described, error);
  }
}

function failedImage(image: Pick<SyncedImage, "source" | "line" | "destination">, error: MoteError): SyncedImage {
  const { code, details } = error;
  const failure = { code, message: messageOf(error), ...(details === undefined ? {} : { details }) };
  return { ...image, state: "failed", blobs: 0, bytes: 0, mounted: 0, warnings: [], error: failure };
}

function isFailed({ state }: SyncedImage): boolean {
  return state === "failed";
}

/** Completes the destination. If that fails, nothing was copied: the report says so of each image. */
async function finish(
  target: SyncTarget,
  { images, removed }: Pick<SyncReport, "images" | "removed">,
  { signal }: SyncOptions,
): Promise<Pick<SyncReport, "images" | "removed">> {
  try {
    await target.finish({ signal });
    return { images, removed };
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error) || !images.some(({ state }) => state === "copied")) throw error;
    return {
      images: images.map((image) => {
        const { source, line, destination, state } = image;
        if (state !== "copied") return image;
        return failedImage({ source, ...(line === undefined ? {} : { line }), destination }, error);
      }),
      removed: removed.map(({ destination }) => ({ destination, state: "kept", reason: messageOf(error) })),
    };
  }
}

async function removeOthers(
  target: SyncTarget,
  kept: readonly ImageName[],
  { tags = [], dryRun, signal }: SyncOptions,
): Promise<readonly RemovedName[]> {
  const isWanted = tagFilter(tags);
  const others = (await target.others(kept, { signal })).filter(({ tag }) => isWanted(tag));
  if (dryRun) return others.map(({ destination }) => ({ destination, state: "planned" }));
  const reasons = await target.remove(others, { signal });
  return others.map(({ destination }) => {
    const reason = reasons.get(destination);
    return reason === undefined ? { destination, state: "removed" } : { destination, state: "kept", reason };
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
