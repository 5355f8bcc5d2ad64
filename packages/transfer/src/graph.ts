import { childDescriptors, type Descriptor, type Digest, isManifestType, type Manifest, MoteError } from "@mote/core";
import type { Job } from "./job.js";
import type { LoadedManifest, ManifestLoader } from "./manifest-loader.js";

const deepest = 16;

export interface Graph {
  /** In groups: whatever a manifest names is in an earlier group than itself. */
  readonly manifests: readonly (readonly LoadedManifest[])[];
  /** What is to be moved, each digest once, the largest first: so that the last to end is a small one. */
  readonly blobs: readonly Descriptor[];
  /** Layers that stay where their `urls` say. */
  readonly foreign: readonly Descriptor[];
}

/**
 * Everything below the roots, each digest once. A manifest cannot be below itself, as it would have to hold its own digest.
 * What an index lists that is no manifest known here is moved as a blob.
 * @throws MOTE_INVALID_MANIFEST where indexes are nested too deep, or two descriptors disagree on one blob's size
 */
export async function readGraph(job: Job, loader: ManifestLoader, roots: readonly Descriptor[]): Promise<Graph> {
  const loaded = new Map<Digest, LoadedManifest>();
  const blobs = new Map<Digest, Descriptor>();
  const foreign = new Map<Digest, Descriptor>();
  let level: readonly Descriptor[] = roots;
  while (level.length > 0) {
    const unseen = new Map(level.filter(({ digest }) => !loaded.has(digest)).map((one) => [one.digest, one]));
    const below: Descriptor[] = [];
    await job.forEach(unseen.values(), async (descriptor) => {
      const found = await loader.load(descriptor);
      loaded.set(descriptor.digest, found);
      for (const child of childDescriptors(found.manifest)) {
        if (isBelow(found.manifest, child)) below.push(child);
        else if (isForeign(child)) foreign.set(child.digest, child);
        else blobs.set(child.digest, agreeing(blobs.get(child.digest), child));
      }
    });
    level = below;
  }
  return {
    manifests: byHeight(roots, loaded),
    blobs: [...blobs.values()].sort((a, b) => b.size - a.size),
    foreign: [...foreign.values()].filter(({ digest }) => !blobs.has(digest)),
  };
}

/** Only what an index lists is followed: a layer of a manifest's type is a blob all the same. */
function isBelow(parent: Manifest, child: Descriptor): boolean {
  return parent.kind === "index" && isManifestType(child.mediaType);
}

/** image-spec, layer.md, "Non-Distributable Layers": not to be uploaded; who runs the image gets them by their `urls`. */
function isForeign({ mediaType, urls }: Descriptor): boolean {
  return (urls?.length ?? 0) > 0 && /\.(nondistributable|foreign)\./.test(mediaType);
}

function agreeing(known: Descriptor | undefined, descriptor: Descriptor): Descriptor {
  if (known === undefined || known.size === descriptor.size) return known ?? descriptor;
  const { digest } = descriptor;
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `the manifests disagree on the size of ${digest}: ${known.size} and ${descriptor.size} bytes`,
    { details: { digest, sizes: [known.size, descriptor.size] } },
  );
}

function byHeight(
  roots: readonly Descriptor[],
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
      for (const child of childDescriptors(found.manifest)) {
        if (isBelow(found.manifest, child)) height = Math.max(height, 1 + heightOf(child.digest, depth + 1));
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
  for (const root of roots) heightOf(root.digest, 0);
  return groups;
}
