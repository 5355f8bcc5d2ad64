import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import { type Manifest, maxManifestBytes } from "./manifest.js";
import { isContentType, isManifestType } from "./media-type.js";

/** The fields of a descriptor that a graph walk needs. */
export type GraphNode = Pick<Descriptor, "digest" | "mediaType">;

/** The descriptors that a manifest refers to, except its subject, each in the manifest's order. */
export interface ManifestChildren<Node extends GraphNode = Descriptor> {
  /** Entries of an index that are or may be manifests, because their media type is unknown. */
  readonly manifests: readonly Node[];
  /** Config, layers of any media type, and entries of an index that are not manifests. */
  readonly blobs: readonly Node[];
  /** Foreign layers, which are not copied. */
  readonly foreign: readonly Node[];
}

/** Returns what a manifest refers to. */
export function manifestChildren(manifest: Manifest): ManifestChildren {
  if (manifest.kind === "index") {
    const isManifest = ({ mediaType, size }: Descriptor) =>
      isManifestType(mediaType) || (!isContentType(mediaType) && size <= maxManifestBytes);
    return {
      manifests: manifest.manifests.filter(isManifest),
      blobs: manifest.manifests.filter((entry) => !isManifest(entry)),
      foreign: [],
    };
  }
  return {
    manifests: [],
    blobs: [
      ...(manifest.config === undefined ? [] : [manifest.config]),
      ...manifest.layers.filter((layer) => !isForeignLayer(layer)),
    ],
    foreign: manifest.layers.filter(isForeignLayer),
  };
}

/** Returns whether a layer has a non-distributable media type and `urls` (image-spec, layer.md, "Non-Distributable Layers"). */
export function isForeignLayer({ mediaType, urls }: Descriptor): boolean {
  return urls !== undefined && urls.length > 0 && foreignTypes.some((prefix) => mediaType.startsWith(prefix));
}

const foreignTypes: readonly string[] = [
  "application/vnd.oci.image.layer.nondistributable.",
  "application/vnd.docker.image.rootfs.foreign.",
];

/** A root and everything below it, whether it is stored or not. */
export interface Closure {
  /** All digests, the root first, foreign layers included. */
  readonly digests: ReadonlySet<Digest>;
  /** The manifests among them, the root first if it is one. */
  readonly manifests: ReadonlySet<Digest>;
  /** Digests that are only foreign layers. */
  readonly foreign: ReadonlySet<Digest>;
  /** Whether the root was read. Otherwise the closure is only the root. */
  readonly isRead: boolean;
}

/** Returns the children of a manifest; undefined if it is not stored or not a manifest. */
type ReadChildren<Result> = (node: GraphNode) => Result;

/** Returns the closure of a root from manifests that are in memory. */
export function closureFrom(root: GraphNode, read: ReadChildren<ManifestChildren<GraphNode> | undefined>): Closure {
  const walk = walkClosure(root);
  let step = walk.next();
  while (!step.done) step = walk.next(read(step.value));
  return step.value;
}

/** Returns the closure of a root; each manifest is read once. @throws what `read` throws */
export async function readClosure(
  root: GraphNode,
  read: ReadChildren<Promise<ManifestChildren<GraphNode> | undefined>>,
): Promise<Closure> {
  const walk = walkClosure(root);
  let step = walk.next();
  while (!step.done) step = walk.next(await read(step.value));
  return step.value;
}

/** Yields each manifest to read and receives its children. It does not recurse, because manifests may be nested to any depth. */
function* walkClosure(root: GraphNode): Generator<GraphNode, Closure, ManifestChildren<GraphNode> | undefined> {
  const digests = new Set<Digest>([root.digest]);
  const manifests = new Set<Digest>();
  const foreign = new Set<Digest>();
  const read = new Set<Digest>();
  const waiting: GraphNode[] = [root];
  let isRead = false;
  for (const node of waiting) {
    // A digest may be listed both as a manifest and as content; it is read if any manifest lists it as a manifest.
    const isKnown = isManifestType(node.mediaType);
    if (node === root ? !isKnown : read.has(node.digest)) continue;
    read.add(node.digest);
    const children = yield node;
    if (isKnown || children !== undefined) manifests.add(node.digest);
    if (node === root) isRead = children !== undefined;
    if (children === undefined) continue;
    for (const child of children.manifests) {
      digests.add(child.digest);
      waiting.push(child);
    }
    for (const { digest } of children.blobs) {
      digests.add(digest);
      foreign.delete(digest);
    }
    for (const { digest } of children.foreign) {
      if (digests.has(digest)) continue;
      digests.add(digest);
      foreign.add(digest);
    }
  }
  for (const digest of manifests) foreign.delete(digest);
  return { digests, manifests, foreign, isRead };
}

/**
 * Returns when a root was last used, in Unix milliseconds: the latest use of its manifests or setting of its tags. Layers do not count, because
 * images share them. Returns undefined if no use is known.
 */
export function lastUseOf(
  manifests: Iterable<Digest>,
  names: Iterable<{ readonly setMs?: number | undefined }>,
  usedMsOf: (digest: Digest) => number | undefined,
): number | undefined {
  let latest: number | undefined;
  const count = (ms: number | undefined) => {
    if (ms !== undefined) latest = Math.max(latest ?? ms, ms);
  };
  for (const digest of manifests) count(usedMsOf(digest));
  for (const { setMs } of names) count(setMs);
  return latest;
}
