import {
  type Descriptor,
  type Digest,
  formatPlatform,
  type ImageIndex,
  ifFound,
  isIndexType,
  isNotFound,
  labelOf,
  MoteError,
  manifestChildren,
  messageOf,
  type Platform,
  PlatformMatcher,
} from "@mote/core";
import { type ConfigReader, platformOf } from "./config-reader.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import type { ManifestLoader } from "./manifest-loader.js";

const maxDepth = 16;
/** The maximum number of images without a platform whose config is read to find it. */
const maxUnlabelled = 64;
/** How many platforms an error lists, and how many characters of each. */
const maxShownPlatforms = 24;
const maxShownCharacters = 64;

export interface Picked {
  readonly descriptor: Descriptor;
  /** The platform in the index or config. Undefined if there is none, as for most artifacts. */
  readonly platform: Platform | undefined;
  /** The indexes through which it was found, the outermost first. */
  readonly indexes: readonly LoadedManifest[];
}

/**
 * Finds the manifest of a platform. A single manifest is returned if its config has this platform or none.
 * @throws MOTE_NO_PLATFORM with the available platforms
 */
export async function pickPlatform(
  loader: ManifestLoader,
  configs: ConfigReader,
  root: Descriptor,
  wanted: Platform,
): Promise<Picked> {
  return new PlatformSearch(loader, configs, wanted).run(root);
}

class PlatformSearch {
  readonly #loader: ManifestLoader;
  readonly #configs: ConfigReader;
  readonly #wanted: Platform;
  readonly #matcher: PlatformMatcher;
  readonly #available = new Set<string>();
  readonly #seen = new Set<Digest>();
  #unlabelled = 0;

  constructor(loader: ManifestLoader, configs: ConfigReader, wanted: Platform) {
    this.#loader = loader;
    this.#configs = configs;
    this.#wanted = wanted;
    this.#matcher = new PlatformMatcher(wanted);
  }

  async run(root: Descriptor): Promise<Picked> {
    const picked = isIndexType(root.mediaType) ? await this.#below(root, []) : await this.#single(root);
    if (picked !== undefined) return { ...picked, descriptor: await this.#loaded(root, picked) };
    const list = [...this.#available].sort();
    const wanted = formatPlatform(this.#wanted);
    throw new MoteError("MOTE_NO_PLATFORM", `${root.digest} has no platform ${wanted}; it has ${shown(list)}`, {
      details: { digest: root.digest, wanted, platforms: list.slice(0, maxShownPlatforms) },
    });
  }

  /** Loads the selected manifest, which an archive may list but not have. */
  async #loaded(root: Descriptor, { descriptor, platform }: Picked): Promise<Descriptor> {
    try {
      return (await this.#loader.load(descriptor)).descriptor;
    } catch (error) {
      if (!isNotFound(error) || descriptor.digest === root.digest) throw error;
      const wanted = formatPlatform(platform ?? this.#wanted);
      throw new MoteError(
        "MOTE_NO_PLATFORM",
        `the index ${root.digest} lists ${wanted} as ${descriptor.digest}, which does not exist: ${messageOf(error)}; get it from where the index was published, or choose another platform`,
        { cause: error, details: { digest: root.digest, wanted, missing: descriptor.digest } },
      );
    }
  }

  /** Checks an image that is not in an index. */
  async #single(descriptor: Descriptor): Promise<Picked | undefined> {
    const platform = await this.#platformOf(descriptor);
    const matches = platform === undefined || this.#matcher.matches(platform);
    return matches ? { descriptor, platform, indexes: [] } : undefined;
  }

  async #below(descriptor: Descriptor, above: readonly LoadedManifest[]): Promise<Picked | undefined> {
    if (this.#seen.has(descriptor.digest) || above.length === maxDepth) return undefined;
    this.#seen.add(descriptor.digest);
    const index = await this.#loader.load(descriptor);
    if (index.manifest.kind !== "index") return undefined;
    const indexes = [...above, index];
    for (const candidate of this.#candidatesOf(index.manifest)) {
      const picked = isIndexType(candidate.mediaType)
        ? await this.#below(candidate, indexes)
        : await this.#listed(candidate, indexes);
      if (picked !== undefined) return picked;
    }
    return undefined;
  }

  async #listed(descriptor: Descriptor, indexes: readonly LoadedManifest[]): Promise<Picked | undefined> {
    const label = labelOf(descriptor);
    if (label !== undefined) return { descriptor, platform: label, indexes };
    if (this.#unlabelled === maxUnlabelled) return undefined;
    this.#unlabelled++;
    // A missing manifest is skipped, because another one may have the platform.
    const platform = await ifFound(this.#platformOf(descriptor));
    return platform !== undefined && this.#matcher.matches(platform) ? { descriptor, platform, indexes } : undefined;
  }

  async #platformOf(descriptor: Descriptor): Promise<Platform | undefined> {
    const loaded = await this.#loader.loadEntry(descriptor);
    const platform = loaded && (await platformOf(this.#configs, loaded.manifest));
    if (platform !== undefined) this.#available.add(formatPlatform(platform));
    return platform;
  }

  /** Returns the entries with a matching platform, the best first, then those without a platform. */
  #candidatesOf(index: ImageIndex): readonly Descriptor[] {
    const { manifests } = manifestChildren(index);
    const unlabelled: Descriptor[] = [];
    for (const descriptor of manifests) {
      const label = labelOf(descriptor);
      if (label === undefined) unlabelled.push(descriptor);
      else this.#available.add(formatPlatform(label));
    }
    return [...this.#matcher.bestFirst(manifests), ...unlabelled];
  }
}

/** Lists platforms with a limited number and length. */
function shown(platforms: readonly string[]): string {
  if (platforms.length === 0) return "no platforms";
  const cut = (text: string) => (text.length > maxShownCharacters ? `${text.slice(0, maxShownCharacters)}…` : text);
  const more = platforms.length - maxShownPlatforms;
  return platforms.slice(0, maxShownPlatforms).map(cut).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
