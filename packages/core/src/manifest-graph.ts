import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import { type Manifest, maxManifestBytes } from "./manifest.js";
import { isContentType, isManifestType } from "./media-type.js";

/** What is needed of a descriptor to walk on from it. */
export type GraphNode = Pick<Descriptor, "digest" | "mediaType">;

/** What a manifest refers to, sorted by how it is treated; each in the manifest's order. Its subject is not below it. */
export interface ManifestChildren<Node extends GraphNode = Descriptor> {
  /**
   * Entries of an index that are manifests: what is below them is below the index. Also those of a media type that is not known, which
   * may be manifests: their bytes tell.
   */
  readonly manifests: readonly Node[];
  /** Content: config, layers, and entries of an index that are known to be content. A layer is content, also if its media type is a manifest's. */
  readonly blobs: readonly Node[];
  /** Layers that are not distributed: they stay where their `urls` say. */
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

/**
 * Whether a layer stays where its `urls` say (image-spec, layer.md, "Non-Distributable Layers"). Both are needed: a layer of an ordinary
 * type is moved whatever its `urls` say, as they are only further places, and one without `urls` is nowhere else.
 */
export function isForeignLayer({ mediaType, urls }: Descriptor): boolean {
  return urls !== undefined && urls.length > 0 && foreignTypes.some((prefix) => mediaType.startsWith(prefix));
}

const foreignTypes: readonly string[] = [
  "application/vnd.oci.image.layer.nondistributable.",
  "application/vnd.docker.image.rootfs.foreign.",
];

/** A manifest and everything below it, whether it is stored or not. */
export interface Closure {
  /** The root first. Foreign layers count: who stores one all the same needs it for this root. */
  readonly digests: ReadonlySet<Digest>;
  /** The manifests among them, the root first if it is one. */
  readonly manifests: ReadonlySet<Digest>;
  /** Those that are nothing but foreign layers here. */
  readonly foreign: ReadonlySet<Digest>;
  /** Whether the root was read. Otherwise the closure is the root alone. */
  readonly isRead: boolean;
}

/**
 * Returns a manifest's children; undefined if it is not there, and so nothing is known to be below it, or, of a media type that is not
 * known, if it is not a manifest.
 */
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

/** Yields each manifest to be read, and is sent what is below it. Without recursion: a cache may have been filled with any depth. */
function* walkClosure(root: GraphNode): Generator<GraphNode, Closure, ManifestChildren<GraphNode> | undefined> {
  const digests = new Set<Digest>([root.digest]);
  const manifests = new Set<Digest>();
  const foreign = new Set<Digest>();
  const read = new Set<Digest>();
  const waiting: GraphNode[] = [root];
  let isRead = false;
  for (const node of waiting) {
    // One digest may be listed as a manifest here and as content there: it is followed if anybody lists it as a manifest.
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
 * Returns when a root was last used, in Unix milliseconds: the latest use of a manifest of it, or setting of a name of it. Layers do not
 * count, as images share them. Undefined if nothing is known.
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
