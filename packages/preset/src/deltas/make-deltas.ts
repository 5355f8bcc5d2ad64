import type { Cancellable, Digest, Lease, MoteError, Ref } from "@mote/core";
import type { Parts } from "../parts.js";
import type { DeltaMode } from "../rebuild/layer-rebuilder.js";
import { RebuildQueue } from "../rebuild/rebuild-queue.js";
import { invalidReference } from "../references/invalid-reference.js";
import { nameOfOrigin, type Origin, onlyOf, readOrigin } from "../references/origin.js";
import { otherTag } from "../references/references.js";
import { cacheSource } from "../sources/cache-source.js";
import { withReferences } from "../transfers/move-report.js";
import type { Mover } from "../transfers/mover.js";
import { makeDelta } from "./make-delta.js";
import { MakingProgress } from "./making-progress.js";
import { type ImagePair, type PlatformImage, pairImages, storedImages } from "./stored-images.js";
import type { DeltaOptions, DeltaReport, MadeDelta } from "./types.js";

/** How many digits of the old image are in the name of a delta. */
const shownDigits = 12;

interface Context {
  readonly parts: Parts;
  readonly mover: Mover;
}

type Made = Awaited<ReturnType<typeof makeDelta>>;

/** Makes the deltas from one image to another, as `OpenMote.delta` does. */
export async function makeDeltas(
  [old, next]: readonly [string, string],
  destination: string | undefined,
  options: DeltaOptions,
  { parts, mover }: Context,
): Promise<DeltaReport> {
  const startedMs = performance.now();
  const { cache, references } = parts;
  const { signal } = options;
  const to = destination === undefined ? undefined : parseDestination(parts, destination);
  const warnings: string[] = [];
  const pull = async (source: string) => {
    const { platform, concurrency, onEvent } = options;
    const delta: DeltaMode = "auto";
    const report = await mover.pull(source, undefined, { platform, concurrency, onEvent, delta, signal });
    warnings.push(...report.warnings);
    const roots = report.refs.map(({ descriptor }) => descriptor);
    return { name: source, images: await storedImages(cache, roots, { signal }) };
  };
  const before = await pull(old);
  const lease = await leaseOf(before.images, parts, { signal });
  try {
    const after = await pull(next);
    for (const digest of digestsOf(after.images)) await lease?.add(digest);
    const { pairs, ...rest } = pairImages(before, after);
    if (to?.tag !== undefined && pairs.length > 1) throw oneTag(to.tag, pairs.length);
    const made = await makeAll(pairs, options, parts);
    for (const { digest } of made) await lease?.add(digest);
    const from = await readOrigin(cache, references, next);
    const deltas =
      to === undefined
        ? await nameAll(made, from, { parts, mover })
        : await sendAll(made, to, options, { parts, mover });
    return {
      old,
      new: next,
      ...(destination === undefined ? {} : { destination }),
      deltas,
      ...rest,
      durationMs: performance.now() - startedMs,
      warnings,
    };
  } finally {
    await lease?.release();
  }
}

/** Parses the destination. A repository without a tag stays without one: the delta is found by its subject. */
function parseDestination({ references }: Parts, text: string): Ref {
  const to = references.parseMovable(text, "destination");
  if (to.transport !== "docker" || /:[^/]*$/.test(text.replace(/@.*$/, ""))) return to;
  const { tag: _, ...repository } = to;
  return repository;
}

async function makeAll(
  pairs: readonly ImagePair[],
  { onProgress, signal }: DeltaOptions,
  parts: Parts,
): Promise<readonly Made[]> {
  await using queue = new RebuildQueue();
  const old = pairs.flatMap(({ from }) => from.layers);
  const next = pairs.flatMap(({ to }) => to.layers);
  const totalBytes = [...old, ...next, ...next].reduce((sum, { size }) => sum + size, 0);
  const progress = new MakingProgress(next.length, totalBytes, onProgress);
  const made: Made[] = [];
  for (const pair of pairs) made.push(await makeDelta(parts, pair, { queue, progress, signal }));
  return made;
}

/** Gives the deltas names in the cache, by which they are kept. */
async function nameAll(
  made: readonly Made[],
  from: Origin,
  { parts: { references }, mover }: Context,
): Promise<readonly MadeDelta[]> {
  const deltas: MadeDelta[] = [];
  for (const { manifest, ...delta } of made) {
    const source = delta.source.slice(delta.source.indexOf(":") + 1, delta.source.indexOf(":") + 1 + shownDigits);
    const tag = `${delta.subject.replace(":", "-")}.delta-${source}`;
    const name = typeof from === "string" ? tag : (nameOfOrigin(references, otherTag(from, tag)) ?? tag);
    await mover.name(name, manifest);
    deltas.push({ ...delta, reference: name });
  }
  return deltas;
}

async function sendAll(
  made: readonly Made[],
  to: Ref,
  { concurrency, onEvent, overwrite, signal }: DeltaOptions,
  { parts: { cache, endpoints, references }, mover }: Context,
): Promise<readonly MadeDelta[]> {
  if (made.length === 0) return [];
  const report = await mover.transfer(cacheSource(cache), await endpoints.destination(to, { overwrite }), {
    ...{ concurrency, onEvent, signal },
    refs: made.map(({ digest }) => digest),
    // A digest as a tag sets none.
    tags: made.map(({ digest }) => to.tag ?? digest),
    verify: onlyOf(to.digest),
  });
  const { refs } = withReferences(references, report, undefined, to);
  return made.map(({ manifest: _, ...delta }, at) => ({ ...delta, reference: refs[at]?.reference ?? delta.digest }));
}

async function leaseOf(
  images: readonly PlatformImage[],
  { cache, logger }: Parts,
  options: Cancellable,
): Promise<Lease | undefined> {
  try {
    return await cache.lease?.(digestsOf(images), options);
  } catch (error) {
    options.signal?.throwIfAborted();
    logger.warn("cannot lease the images of a delta", { error });
    return undefined;
  }
}

function digestsOf(images: readonly PlatformImage[]): readonly Digest[] {
  return images.flatMap(({ manifest, config, layers }) => [manifest, config, ...layers].map(({ digest }) => digest));
}

function oneTag(tag: string, count: number): MoteError {
  const reason = `${count} deltas cannot all have the tag ${tag}; leave the tag out, or choose one platform with --platform`;
  return invalidReference(tag, reason, reason);
}
