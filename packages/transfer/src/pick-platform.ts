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
import type { LoadedManifest, ManifestLoader } from "./manifest-loader.js";

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
  const matcher = new PlatformMatcher(wanted);
  const available = new Set<string>();
  const seen = new Set<Digest>();
  let unlabelled = 0;

  const picked = isIndexType(root.mediaType) ? await below(root, []) : await single(root);
  if (picked !== undefined) return { ...picked, descriptor: await loaded(picked) };
  const list = [...available].sort();
  const text = formatPlatform(wanted);
  throw new MoteError("MOTE_NO_PLATFORM", `${root.digest} has no platform ${text}; it has ${shown(list)}`, {
    details: { digest: root.digest, wanted: text, platforms: list.slice(0, maxShownPlatforms) },
  });

  /** Loads the selected manifest, which an archive may list but not have. */
  async function loaded({ descriptor, platform }: Picked): Promise<Descriptor> {
    try {
      return (await loader.load(descriptor)).descriptor;
    } catch (error) {
      if (!isNotFound(error) || descriptor.digest === root.digest) throw error;
      const listed = formatPlatform(platform ?? wanted);
      throw new MoteError(
        "MOTE_NO_PLATFORM",
        `the index ${root.digest} lists ${listed} as ${descriptor.digest}, which does not exist: ${messageOf(error)}; get it from where the index was published, or choose another platform`,
        { cause: error, details: { digest: root.digest, wanted: listed, missing: descriptor.digest } },
      );
    }
  }

  /** Checks an image that is not in an index. */
  async function single(descriptor: Descriptor): Promise<Picked | undefined> {
    const platform = await ownPlatform(descriptor);
    const matches = platform === undefined || matcher.matches(platform);
    return matches ? { descriptor, platform, indexes: [] } : undefined;
  }

  async function below(descriptor: Descriptor, above: readonly LoadedManifest[]): Promise<Picked | undefined> {
    if (seen.has(descriptor.digest) || above.length === maxDepth) return undefined;
    seen.add(descriptor.digest);
    const index = await loader.load(descriptor);
    if (index.manifest.kind !== "index") return undefined;
    const indexes = [...above, index];
    for (const candidate of candidatesOf(index.manifest)) {
      const found = isIndexType(candidate.mediaType)
        ? await below(candidate, indexes)
        : await entry(candidate, indexes);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async function entry(descriptor: Descriptor, indexes: readonly LoadedManifest[]): Promise<Picked | undefined> {
    const label = labelOf(descriptor);
    if (label !== undefined) return { descriptor, platform: label, indexes };
    if (unlabelled === maxUnlabelled) return undefined;
    unlabelled++;
    // A missing manifest is skipped, because another one may have the platform.
    const platform = await ifFound(ownPlatform(descriptor));
    return platform !== undefined && matcher.matches(platform) ? { descriptor, platform, indexes } : undefined;
  }

  async function ownPlatform(descriptor: Descriptor): Promise<Platform | undefined> {
    const manifest = (await loader.loadEntry(descriptor))?.manifest;
    const platform = manifest && (await platformOf(configs, manifest));
    if (platform !== undefined) available.add(formatPlatform(platform));
    return platform;
  }

  /** Returns the entries with a matching platform, the best first, then those without a platform. */
  function candidatesOf(index: ImageIndex): readonly Descriptor[] {
    const { manifests } = manifestChildren(index);
    for (const label of manifests.map(labelOf)) if (label !== undefined) available.add(formatPlatform(label));
    return [...matcher.bestFirst(manifests), ...manifests.filter((one) => labelOf(one) === undefined)];
  }
}

/** Lists platforms with a limited number and length. */
function shown(platforms: readonly string[]): string {
  if (platforms.length === 0) return "no platforms";
  const cut = (text: string) => (text.length > maxShownCharacters ? `${text.slice(0, maxShownCharacters)}…` : text);
  const more = platforms.length - maxShownPlatforms;
  return platforms.slice(0, maxShownPlatforms).map(cut).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
