import { stat } from "node:fs/promises";
import {
  type Cancellable,
  configPlatform,
  type Descriptor,
  type Digest,
  formatPlatform,
  isIndexType,
  isManifestType,
  type Manifest,
  type MoteCache,
  manifestChildren,
  manifestKind,
  maxManifestBytes,
  PlatformMatcher,
  parsePlatform,
  readManifest,
  readMote,
} from "@mote/core";

/** Maximum nesting of indexes. */
const maxIndexDepth = 16;
const shownPlatforms = 24;
const shownMissing = 5;

/** A cached image. Inspecting it does not count as use. */
export class StoredImage {
  readonly descriptor: Descriptor;
  readonly #cache: MoteCache;
  readonly #platform: string | undefined;

  /** @param platform default: all */
  constructor(cache: MoteCache, descriptor: Descriptor, platform: string | undefined) {
    this.#cache = cache;
    this.descriptor = descriptor;
    this.#platform = platform;
  }

  /** Returns whether all of the image, or of the platform, is stored. */
  async isComplete(options?: Cancellable): Promise<boolean> {
    for await (const _ of this.#missing(this.descriptor, 0, new Set(), options)) return false;
    return true;
  }

  async hasRoot(options?: Cancellable): Promise<boolean> {
    return this.#cache.moteExists(this.descriptor.digest, options);
  }

  /** Returns since when this version is stored, and its digest: `stored since 2026-01-31 09:30 UTC (sha256:0123456789ab)`. */
  async describe(): Promise<string> {
    const { digest } = this.descriptor;
    const since = await this.#storedMs(digest);
    const time =
      since === undefined ? "" : ` since ${new Date(since).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const [algorithm = "", encoded = ""] = digest.split(":");
    const single = this.#platform === undefined ? await this.#describeSingle() : "";
    return `stored${time} (${algorithm}:${encoded.slice(0, 12)}${single})`;
  }

  /** Returns the stored platforms of an index. */
  async platforms(): Promise<readonly string[]> {
    const found = await this.#platformsBelow(this.descriptor, new Set());
    return [...new Set(found)].sort().slice(0, shownPlatforms);
  }

  /** Returns the digests that are not stored, and some of them for a message. */
  async missing(): Promise<{ readonly digests: readonly Digest[]; readonly shown: string }> {
    const found = new Set<Digest>();
    for await (const { digest } of this.#missing(this.descriptor, 0, new Set())) found.add(digest);
    const digests = [...found];
    const more = digests.length > shownMissing ? ` and ${digests.length - shownMissing} more` : "";
    return { digests, shown: `${digests.slice(0, shownMissing).join(", ")}${more}` };
  }

  async *#missing(
    descriptor: Descriptor,
    depth: number,
    seen: Set<Digest>,
    options?: Cancellable,
  ): AsyncGenerator<Descriptor, void, undefined> {
    if (seen.has(descriptor.digest) || depth > maxIndexDepth) return;
    seen.add(descriptor.digest);
    const manifest = await this.#read(descriptor);
    if (manifest === undefined) {
      // Entries of an index with an unknown media type need not be manifests.
      const isHere =
        !isManifestType(descriptor.mediaType) && (await this.#cache.moteExists(descriptor.digest, options));
      if (!isHere) yield descriptor;
      return;
    }
    const { manifests, blobs } = manifestChildren(manifest);
    for (const child of this.#wanted(manifests)) yield* this.#missing(child, depth + 1, seen, options);
    for (const blob of blobs) {
      options?.signal?.throwIfAborted();
      const isHere = blob.data !== undefined || (await this.#cache.moteExists(blob.digest, options));
      if (!isHere) yield blob;
    }
  }

  /** Returns the best match for the platform, or else what may contain it: nested indexes, and entries without a platform. */
  #wanted(manifests: readonly Descriptor[]): readonly Descriptor[] {
    if (this.#platform === undefined) return manifests;
    const matcher = new PlatformMatcher(parsePlatform(this.#platform));
    const [best] = matcher.bestFirst(manifests);
    if (best !== undefined) return [best];
    return manifests.filter(({ platform, mediaType }) => isIndexType(mediaType) || !platform?.architecture);
  }

  async #platformsBelow(index: Descriptor, seen: Set<Digest>): Promise<string[]> {
    if (seen.has(index.digest)) return [];
    seen.add(index.digest);
    const manifest = await this.#read(index);
    if (manifest?.kind !== "index") return [];
    const found: string[] = [];
    for (const child of manifest.manifests) {
      if (isIndexType(child.mediaType)) found.push(...(await this.#platformsBelow(child, seen)));
      else if (child.platform !== undefined && (await this.#cache.moteExists(child.digest)))
        found.push(formatPlatform(child.platform));
    }
    return found;
  }

  /** Describes a single image: earlier releases named only the platform pulled last. */
  async #describeSingle(): Promise<string> {
    const manifest = isIndexType(this.descriptor.mediaType) ? undefined : await this.#read(this.descriptor);
    if (manifest?.kind !== "manifest" || manifestKind(manifest) !== "image") return "";
    const bounds = { maxBytes: maxManifestBytes, countsAsUse: false };
    const config =
      manifest.config && (await readMote(this.#cache, manifest.config.digest, bounds).catch(() => undefined));
    const platform = config && configPlatform(config);
    return platform === undefined ? "" : `, a single image for ${formatPlatform(platform)}`;
  }

  /** Returns the creation time: the cache changes the other times of a file. Undefined if the cache is not a folder, or the file system has none. */
  async #storedMs(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.#cache.moteRef(digest))).birthtimeMs || undefined;
    } catch {
      return undefined;
    }
  }

  /** Ignores errors: the transfer reports them. */
  #read(descriptor: Descriptor): Promise<Manifest | undefined> {
    return readManifest(this.#cache, descriptor, { countsAsUse: false }).catch(() => undefined);
  }
}
