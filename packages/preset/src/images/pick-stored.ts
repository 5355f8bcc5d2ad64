import {
  type Descriptor,
  type Digest,
  formatPlatform,
  type ImageManifest,
  isIndexType,
  type Manifest,
  MoteError,
  manifestChildren,
  PlatformMatcher,
  parsePlatform,
} from "@mote/core";

/** Maximum nesting of indexes. */
const maxIndexDepth = 16;
const shownPlatforms = 24;

interface Stored {
  read(digest: Digest): Promise<Manifest>;
  has(digest: Digest): Promise<boolean>;
}

/**
 * Returns the image with a digest, or the image of an index for the platform; by default the only stored one.
 * @throws MOTE_NO_PLATFORM, and as `read`
 */
export async function pickStored(
  root: Digest,
  name: string,
  stored: Stored,
  wanted: string | undefined,
): Promise<{ readonly digest: Digest; readonly manifest: ImageManifest }> {
  const manifest = await stored.read(root);
  if (manifest.kind === "manifest") return { digest: root, manifest };
  const images = await imagesBelow(manifest, stored, 1);
  const matcher = wanted === undefined ? undefined : new PlatformMatcher(parsePlatform(wanted));
  const matching =
    matcher === undefined ? images : images.filter(({ platform }) => platform && matcher.matches(platform));
  matching.sort(({ platform: one }, { platform: other }) => (one && other && matcher?.compare(one, other)) || 0);
  const [first, ...others] = matching;
  if (first === undefined || (matcher === undefined && others.length > 0)) {
    const platforms = images.flatMap(({ platform }) => (platform === undefined ? [] : formatPlatform(platform)));
    const shown = [...new Set(platforms)].sort().slice(0, shownPlatforms);
    const what = wanted === undefined ? "which of its images is not clear" : `nothing of it is for ${wanted}`;
    throw new MoteError(
      "MOTE_NO_PLATFORM",
      `cannot open ${name}: ${what}; choose one with --platform: ${shown.join(", ") || "it has none"}`,
      { details: { digest: root, ...(wanted === undefined ? {} : { wanted }), platforms: shown } },
    );
  }
  const found = await stored.read(first.digest);
  if (found.kind === "manifest") return { digest: first.digest, manifest: found };
  const message = `cannot open ${name}: ${first.digest} is an index that is listed as an image`;
  throw new MoteError("MOTE_INVALID_MANIFEST", message, { details: { digest: first.digest } });
}

/** Returns the stored images of an index, without attestations (platform `unknown`). */
async function imagesBelow(index: Manifest, stored: Stored, depth: number): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for (const child of manifestChildren(index).manifests) {
    if (child.platform?.os === "unknown" || !(await stored.has(child.digest))) continue;
    if (!isIndexType(child.mediaType)) found.push(child);
    else if (depth < maxIndexDepth)
      found.push(...(await imagesBelow(await stored.read(child.digest), stored, depth + 1)));
  }
  return found;
}
