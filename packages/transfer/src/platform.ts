import { type Descriptor, type ImageIndex, isIndexType, MoteError, type Platform } from "@mote/core";
import type { ManifestLoader } from "./manifest-loader.js";

/** Reads `os/architecture` or `os/architecture/variant`. @throws TypeError */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split("/");
  if (!os || !architecture || variant === "" || rest.length > 0) {
    throw new TypeError(
      `"${text}" is no platform; write os/architecture or os/architecture/variant, such as linux/arm64`,
    );
  }
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/**
 * The image manifest of a platform. What is no index is taken as it is: only its configuration would tell.
 * @throws MOTE_NO_PLATFORM with what there is
 */
export async function pickPlatform(loader: ManifestLoader, root: Descriptor, wanted: Platform): Promise<Descriptor> {
  const there = new Set<string>();
  const picked = await pickBelow(loader, root, wanted, there);
  if (picked !== undefined) return picked;
  const list = [...there].sort();
  throw new MoteError(
    "MOTE_NO_PLATFORM",
    `${root.digest} has nothing for ${formatPlatform(wanted)}; it has ${list.join(", ") || "no platforms"}`,
    { details: { digest: root.digest, wanted: formatPlatform(wanted), platforms: list } },
  );
}

async function pickBelow(
  loader: ManifestLoader,
  descriptor: Descriptor,
  wanted: Platform,
  there: Set<string>,
): Promise<Descriptor | undefined> {
  if (!isIndexType(descriptor.mediaType)) return descriptor;
  const { manifest } = await loader.load(descriptor);
  if (manifest.kind !== "index") return descriptor;
  for (const { platform } of manifest.manifests) if (platform !== undefined) there.add(formatPlatform(platform));
  for (const candidate of candidatesOf(manifest, wanted)) {
    const picked = await pickBelow(loader, candidate, wanted, there);
    if (picked !== undefined) return picked;
  }
  return undefined;
}

/** Entries of that platform, the closest first; then indexes that do not tell their own. */
function candidatesOf({ manifests }: ImageIndex, wanted: Platform): readonly Descriptor[] {
  const matching = manifests.filter(({ platform }) => platform !== undefined && serves(platform, wanted));
  const untold = manifests.filter(({ platform, mediaType }) => platform === undefined && isIndexType(mediaType));
  return [...matching.sort((a, b) => distance(a, wanted) - distance(b, wanted)), ...untold];
}

function serves(offered: Platform, wanted: Platform): boolean {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return false;
  if (wanted["os.version"] !== undefined && offered["os.version"] !== wanted["os.version"]) return false;
  return wanted.variant === undefined || variantOf(offered) === variantOf(wanted);
}

/** Who names no variant is given the one without, or the usual one, before any other. */
function distance({ platform }: Descriptor, wanted: Platform): number {
  if (platform === undefined) return 2;
  if (platform.variant === wanted.variant) return 0;
  return variantOf(platform) === variantOf(wanted) ? 1 : 2;
}

const usualVariants: Readonly<Record<string, string>> = { arm64: "v8", arm: "v7", amd64: "v1" };

function variantOf({ architecture, variant }: Platform): string | undefined {
  return variant ?? usualVariants[architecture];
}

function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}
