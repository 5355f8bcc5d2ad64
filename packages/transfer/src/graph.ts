import { type Descriptor, type Digest, isManifestType, MoteError, manifestChildren, type Ref } from "@mote/core";
import type { Job } from "./job.js";
import type { LoadedManifest, ManifestLoader } from "./manifest-loader.js";
import type { Root } from "./root.js";

const deepest = 16;

export interface PlannedBlob {
  readonly descriptor: Descriptor;
  /** The places of the first reference that it is below. */
  readonly from: Ref | undefined;
  readonly to: Ref | undefined;
}

export interface Graph {
  /** In groups: whatever a manifest names is in an earlier group than itself. */
  readonly manifests: readonly (readonly LoadedManifest[])[];
  /** What is to be moved, each digest once, the largest first: so that the last to end is a small one. */
  readonly blobs: readonly PlannedBlob[];
  /** Layers that stay where their `urls` say. */
  readonly foreign: readonly Descriptor[];
  /** Manifests that are moved because their `subject` is among the others. */
  readonly referrers: readonly Descriptor[];
}

/**
 * Everything below the roots, each digest once. A manifest cannot be below itself, as it would have to hold its own digest.
 * What an index lists that is no manifest known here is moved as a blob.
 * @throws MOTE_INVALID_MANIFEST where indexes are nested too deep, or two descriptors disagree on one blob's size
 */
export async function readGraph(
  job: Job,
  loader: ManifestLoader,
  roots: readonly Root[],
  options: { readonly referrers: boolean },
): Promise<Graph> {
  const loaded = new Map<Digest, LoadedManifest>();
  const blobs = new Map<Digest, PlannedBlob>();
  const foreign = new Map<Digest, Descriptor>();
  const referrers = new Map<Digest, PlannedBlob>();
  let level: readonly PlannedBlob[] = roots;
  while (level.length > 0) {
    const unseen = new Map<Digest, PlannedBlob>();
    for (const one of level) {
      const { digest } = one.descriptor;
      if (!loaded.has(digest) && !unseen.has(digest)) unseen.set(digest, one);
    }
    const below: PlannedBlob[] = [];
    await job.forEach(unseen.values(), async ({ descriptor: parent, from, to }) => {
      const found = await loader.load(parent);
      loaded.set(parent.digest, found);
      const children = manifestChildren(found.manifest);
      for (const descriptor of children.manifests) below.push({ descriptor, from, to });
      for (const descriptor of children.foreign) foreign.set(descriptor.digest, descriptor);
      for (const descriptor of children.blobs) {
        blobs.set(descriptor.digest, agreeing(blobs.get(descriptor.digest), { descriptor, from, to }));
      }
      if (!options.referrers) return;
      for (const descriptor of await referrersOf(job, parent)) {
        const referrer = { descriptor, from, to };
        below.push(referrer);
        referrers.set(descriptor.digest, referrer);
      }
    });
    level = below;
  }
  return {
    manifests: byHeight([...roots, ...referrers.values()], loaded),
    blobs: [...blobs.values()].sort((a, b) => b.descriptor.size - a.descriptor.size),
    foreign: [...foreign.values()].filter(({ digest }) => !blobs.has(digest)),
    referrers: [...referrers.values()].map(({ descriptor }) => descriptor),
  };
}

/** distribution-spec, "Listing Referrers": signatures, attestations and the like. */
async function referrersOf(job: Job, subject: Descriptor): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  for await (const descriptor of job.source.referrers?.(subject, { signal: job.ownSignal() }) ?? []) {
    if (isManifestType(descriptor.mediaType)) found.push(descriptor);
    else job.logger.warn(`${descriptor.digest} refers to ${subject.digest} and is left: it is ${descriptor.mediaType}`);
  }
  return found;
}

function agreeing(known: PlannedBlob | undefined, blob: PlannedBlob): PlannedBlob {
  if (known === undefined || known.descriptor.size === blob.descriptor.size) return known ?? blob;
  const { digest } = blob.descriptor;
  const sizes = [known.descriptor.size, blob.descriptor.size];
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `the manifests disagree on the size of ${digest}: ${sizes.join(" and ")} bytes`,
    { details: { digest, sizes } },
  );
}

function byHeight(
  roots: readonly PlannedBlob[],
  loaded: ReadonlyMap<Digest, LoadedManifest>,
): readonly (readonly LoadedManifest[])[] {
  const heights = new Map<Digest, number>();
  const groups: LoadedManifest[][] = [];
  const heightOf = (digest: Digest, depth: number): number => {
    const found = loaded.get(digest);
    const known = heights.get(digest);
    if (found === undefined) return -1;
    let height = known ?? 0;
    if (known === undefined && depth <= deepest) {
      for (const child of manifestChildren(found.manifest).manifests) {
        height = Math.max(height, 1 + heightOf(child.digest, depth + 1));
      }
    }
    if (depth + height > deepest) {
      throw new MoteError("MOTE_INVALID_MANIFEST", `indexes are nested more than ${deepest} deep below ${digest}`, {
        details: { digest },
      });
    }
    if (known === undefined) {
      heights.set(digest, height);
      while (groups.length <= height) groups.push([]);
      groups[height]?.push(found);
    }
    return height;
  };
  for (const { descriptor } of roots) heightOf(descriptor.digest, 0);
  return groups;
}
