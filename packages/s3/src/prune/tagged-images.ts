import {
  type Cancellable,
  type Closure,
  type Digest,
  type GraphNode,
  hasCode,
  lastUseOf,
  type ManifestChildren,
  type MoteSource,
  manifestChildren,
  readClosure,
  readManifest,
  type TagStore,
} from "@mote/core";
import { mapInOrder } from "../tags/ordered-map.js";
import { UnitTable } from "./unit-table.js";

const concurrency = 8;

/** A tagged manifest. */
export interface TaggedImage {
  readonly digest: Digest;
  readonly names: readonly string[];
  /** When it was last used or tagged, in Unix milliseconds. */
  readonly usedMs: number;
}

/** The tagged images, the most recently used first, and which blobs each needs. */
export interface TaggedImages {
  readonly images: readonly TaggedImage[];
  /** The number of the image that was used last of those that need a blob. */
  readonly users: UnitTable;
}

export interface ImageReader {
  readonly source: MoteSource;
  readonly tags: TagStore;
  /** Returns when a manifest was last used or stored, in Unix milliseconds. */
  usedMs(manifest: Digest): Promise<number | undefined>;
}

/**
 * Reads the tags and the manifests below them. Each manifest is read once; of each image only its names and times are stored, and of each blob
 * some bytes.
 * @param options.without images that do not count
 */
export async function readTaggedImages(
  reader: ImageReader,
  options: Cancellable & { readonly without?: ReadonlySet<Digest> | undefined } = {},
): Promise<TaggedImages> {
  const { signal, without } = options;
  const roots = new Map<Digest, { mediaType: string; names: string[]; setMs: number }>();
  for await (const { name, descriptor, setMs = 0 } of reader.tags.list({ signal })) {
    const { digest, mediaType } = descriptor;
    if (without?.has(digest)) continue;
    const root = roots.get(digest) ?? { mediaType, names: [], setMs: 0 };
    root.names.push(name);
    root.setMs = Math.max(root.setMs, setMs);
    roots.set(digest, root);
  }
  const found = mapInOrder(roots, concurrency, async ([digest, { mediaType, names, setMs }]) => {
    const closure = await closureOf(reader.source, { digest, mediaType }, { signal });
    const uses = new Map<Digest, number | undefined>();
    const manifests = [digest, ...closure.manifests];
    await Promise.all(manifests.map(async (manifest) => uses.set(manifest, await reader.usedMs(manifest))));
    const usedMs = lastUseOf(uses.keys(), [{ setMs }], (manifest) => uses.get(manifest)) ?? setMs;
    return { image: { digest, names, usedMs }, digests: packed(closure.digests) };
  });
  const images: { image: TaggedImage; digests: Packed }[] = [];
  for await (const each of found) images.push(each);
  images.sort((a, b) => compareImages(b.image, a.image));
  const users = new UnitTable();
  for (const [number, { digests }] of images.entries())
    for (const digest of unpacked(digests)) users.add(digest, number);
  return { images: images.map(({ image }) => image), users };
}

/** Returns what a manifest refers to, as far as it is stored. */
export async function closureOf(source: MoteSource, root: GraphNode, { signal }: Cancellable = {}): Promise<Closure> {
  return await readClosure(root, async (node): Promise<ManifestChildren | undefined> => {
    try {
      return manifestChildren(await readManifest(source, node, { countsAsUse: false, signal }));
    } catch (error) {
      // A manifest that is missing or damaged refers to nothing.
      if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_CORRUPT", "MOTE_INVALID_MANIFEST", "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  });
}

/** Orders images by their last use, then by digest. */
function compareImages(a: TaggedImage, b: TaggedImage): number {
  return a.usedMs - b.usedMs || (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0);
}

/** Digests as one text: a set of texts takes several times the memory. */
type Packed = string;

function packed(digests: Iterable<Digest>): Packed {
  return [...digests].join(" ");
}

function unpacked(digests: Packed): readonly Digest[] {
  return digests.split(" ") as Digest[];
}
