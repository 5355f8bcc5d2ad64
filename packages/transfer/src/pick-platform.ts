import {
  type Descriptor,
  type Digest,
  formatPlatform,
  type ImageIndex,
  isIndexType,
  isNotFound,
  MoteError,
  manifestChildren,
  type Platform,
  PlatformMatcher,
} from "@mote/core";
import { type ConfigReader, platformOf } from "./config-reader.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import type { ManifestLoader } from "./manifest-loader.js";

/** Indexes below each other, at most. */
const maxDepth = 16;
/** Images of an index that do not tell their platform, and whose configuration is read for it, at most. */
const maxUnlabelled = 64;
/** Platforms that an error lists, and characters of each. */
const shownPlatforms = 24;
const shownCharacters = 64;

export interface Picked {
  readonly descriptor: Descriptor;
  /** What the index or the configuration says of it. Undefined: nothing does, as of most artifacts. */
  readonly platform: Platform | undefined;
  /** The indexes that it was found through, from the outermost to the one that lists it. */
  readonly indexes: readonly LoadedManifest[];
}

/**
 * The image manifest of a platform. What is not an index is it where its configuration says so, or says nothing of a platform.
 * @throws MOTE_NO_PLATFORM with what there is
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
  readonly #there = new Set<string>();
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
    const list = [...this.#there].sort();
    const wanted = formatPlatform(this.#wanted);
    throw new MoteError("MOTE_NO_PLATFORM", `${root.digest} has nothing for ${wanted}; it has ${shown(list)}`, {
      details: { digest: root.digest, wanted, platforms: list.slice(0, shownPlatforms) },
    });
  }

  /** The picked manifest, as it describes itself. An archive may list platforms that it does not have. */
  async #loaded(root: Descriptor, { descriptor, platform }: Picked): Promise<Descriptor> {
    try {
      return (await this.#loader.load(descriptor)).descriptor;
    } catch (error) {
      if (!isNotFound(error) || descriptor.digest === root.digest) throw error;
      const wanted = formatPlatform(platform ?? this.#wanted);
      const reason = error instanceof Error ? error.message : String(error);
      throw new MoteError(
        "MOTE_NO_PLATFORM",
        `the index ${root.digest} lists ${wanted} as ${descriptor.digest}, which is not there: ${reason}; get it from where the index came from, or choose another platform`,
        { cause: error, details: { digest: root.digest, wanted, missing: descriptor.digest } },
      );
    }
  }

  /** An image that is not in an index. */
  async #single(descriptor: Descriptor): Promise<Picked | undefined> {
    const platform = await this.#platformOf(descriptor);
    const isIt = platform === undefined || this.#matcher.matches(platform);
    return isIt ? { descriptor, platform, indexes: [] } : undefined;
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
    const platform = await this.#platformOf(descriptor).catch((error: unknown) => {
      // One that is not there may be of any platform, and the next one the wanted one.
      if (isNotFound(error)) return undefined;
      throw error;
    });
    return platform !== undefined && this.#matcher.matches(platform) ? { descriptor, platform, indexes } : undefined;
  }

  async #platformOf(descriptor: Descriptor): Promise<Platform | undefined> {
    const loaded = await this.#loader.loadEntry(descriptor);
    const platform = loaded && (await platformOf(this.#configs, loaded.manifest));
    if (platform !== undefined) this.#there.add(formatPlatform(platform));
    return platform;
  }

  /** Entries of that platform, the closest first; then those that do not tell their own. */
  #candidatesOf(index: ImageIndex): readonly Descriptor[] {
    const matching: { readonly descriptor: Descriptor; readonly label: Platform }[] = [];
    const unlabelled: Descriptor[] = [];
    for (const descriptor of manifestChildren(index).manifests) {
      const label = labelOf(descriptor);
      if (label === undefined) unlabelled.push(descriptor);
      else if (this.#matcher.matches(label)) matching.push({ descriptor, label });
      if (label !== undefined) this.#there.add(formatPlatform(label));
    }
    matching.sort((one, other) => this.#matcher.compare(one.label, other.label));
    return [...matching.map(({ descriptor }) => descriptor), ...unlabelled];
  }
}

function labelOf({ platform }: Descriptor): Platform | undefined {
  return platform?.os && platform.architecture ? platform : undefined;
}

/** An index may list very many, and of any length. */
function shown(platforms: readonly string[]): string {
  if (platforms.length === 0) return "no platforms";
  const cut = (text: string) => (text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text);
  const more = platforms.length - shownPlatforms;
  return platforms.slice(0, shownPlatforms).map(cut).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
