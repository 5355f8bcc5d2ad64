import {
  BoundedMap,
  type Cancellable,
  type Descriptor,
  type Digest,
  MoteError,
  type MoteSource,
  manifestChildren,
  parseImageName,
  readManifest,
  type TagStore,
} from "@mote/core";

/** An image in the cache. */
export interface ListedImage {
  /** The full name, with the registry. */
  readonly name: string;
  readonly digest: Digest;
  /** Bytes of its manifests and blobs. Undefined while it is unknown. */
  readonly bytes?: number | undefined;
  /** When its tag was set, in Unix milliseconds. */
  readonly setMs?: number | undefined;
}

/** The names in one search of the cache, at most. */
const maxImages = 20_000;
const maxSizes = 50_000;
/** Milliseconds for which manifests are read in one search. The sizes of the other images follow with the next ones. */
const maxReadingMs = 500;
const maxDepth = 4;

/** Lists the images of a cache with their sizes. */
export class ImageList {
  readonly #source: MoteSource;
  readonly #tags: TagStore;
  /** By the digest of the manifest. */
  readonly #sizes = new BoundedMap<Digest, number>(maxSizes);

  constructor(source: MoteSource, tags: TagStore) {
    this.#source = source;
    this.#tags = tags;
  }

  /** Returns the images in the order of their names. Names of layouts and archives are not included. */
  async find(options: Cancellable = {}): Promise<ListedImage[]> {
    const images: ListedImage[] = [];
    const untilMs = performance.now() + maxReadingMs;
    for await (const { name, descriptor, setMs } of this.#tags.list(options)) {
      if (parseImageName(name) === undefined) continue;
      const bytes = performance.now() < untilMs ? await this.#sizeOf(descriptor, options) : undefined;
      images.push({ name, digest: descriptor.digest, bytes: bytes ?? this.#sizes.get(descriptor.digest), setMs });
      if (images.length === maxImages) break;
    }
    return images;
  }

  /** Returns undefined if the manifest cannot be read. */
  async #sizeOf({ digest, size }: Descriptor, options: Cancellable, depth = 0): Promise<number | undefined> {
    const known = this.#sizes.get(digest);
    if (known !== undefined) return known;
    try {
      if (!(await this.#source.moteExists(digest, options))) return undefined;
      const { blobs, manifests } = manifestChildren(
        await readManifest(this.#source, { digest }, { ...options, countsAsUse: false }),
      );
      const unique = new Map(blobs.map((blob) => [blob.digest, blob.size]));
      let bytes = [...unique.values()].reduce((sum, each) => sum + each, size);
      if (depth < maxDepth)
        for (const child of manifests) bytes += (await this.#sizeOf(child, options, depth + 1)) ?? 0;
      // Images of other platforms may be added to an index.
      if (manifests.length === 0) this.#sizes.set(digest, bytes);
      return bytes;
    } catch (error) {
      if (MoteError.isInstance(error)) return undefined;
      throw error;
    }
  }
}

export interface ImageSummary {
  readonly count: number;
  readonly largest: readonly ListedImage[];
  /** Those whose tags were set last. */
  readonly latest: readonly ListedImage[];
}

/** Returns the first images by size and by the time of their tags. */
export function summarizeImages(images: readonly ListedImage[], limit: number): ImageSummary {
  const first = (key: "bytes" | "setMs") =>
    images
      .filter((image) => image[key] !== undefined)
      .sort((one, other) => (other[key] ?? 0) - (one[key] ?? 0))
      .slice(0, limit);
  return { count: images.length, largest: first("bytes"), latest: first("setMs") };
}

/** Finds the images whose names contain all words of a text, whatever their case. */
export function searchImages(images: readonly ListedImage[], text: string): ListedImage[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 0
    ? []
    : images.filter(({ name, digest }) =>
        words.every((word) => name.toLowerCase().includes(word) || digest.includes(word)),
      );
}
