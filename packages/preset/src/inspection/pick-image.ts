import {
  configPlatform,
  type Descriptor,
  formatPlatform,
  hasCode,
  type ImageManifest,
  isIndexType,
  localPlatform,
  MoteError,
  PlatformMatcher,
  parsePlatform,
} from "@mote/core";
import { pickStored } from "../images/pick-stored.js";
import type { ImageContent } from "./image-content.js";

export interface PickedImage {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
}

/**
 * Returns the image of an index for a platform; by default the only one. A single image must be for the platform, if it has one.
 * @throws MOTE_NO_PLATFORM
 */
export async function pickImage(
  content: ImageContent,
  name: string,
  platform: string | undefined,
): Promise<PickedImage> {
  const { root } = content;
  const known = new Map<string, Descriptor>([[root.digest, root]]);
  const read = async (digest: Descriptor["digest"]) => {
    const manifest = await content.manifest(known.get(digest) ?? { ...root, digest });
    if (manifest.kind === "index") for (const child of manifest.manifests) known.set(child.digest, child);
    return manifest;
  };
  const found = await pickStored(root.digest, name, { read, has: async () => true }, platform);
  const descriptor = known.get(found.digest) ?? root;
  if (platform !== undefined && found.digest === root.digest)
    await assertPlatform(content, found.manifest, name, platform);
  return { descriptor, manifest: found.manifest };
}

/** Returns the image as `pickImage` does; by default also that for Linux on this machine's architecture, which is reported. */
export async function pickOrChoose(
  content: ImageContent,
  name: string,
  platform: string | undefined,
): Promise<{ readonly picked: PickedImage; readonly chosenPlatform: string | undefined }> {
  try {
    return { picked: await pickImage(content, name, platform), chosenPlatform: undefined };
  } catch (error) {
    const isUnclear = platform === undefined && isIndexType(content.root.mediaType);
    if (!isUnclear || !hasCode(error, "MOTE_NO_PLATFORM")) throw error;
  }
  const chosenPlatform = formatPlatform({ ...localPlatform(), os: "linux" });
  return { picked: await pickImage(content, name, chosenPlatform), chosenPlatform };
}

async function assertPlatform(
  content: ImageContent,
  { config }: ImageManifest,
  name: string,
  wanted: string,
): Promise<void> {
  const bytes = config && (await content.config(config, { ifHere: false }));
  const own = bytes && configPlatform(bytes);
  if (own === undefined || new PlatformMatcher(parsePlatform(wanted)).matches(own)) return;
  const shown = formatPlatform(own);
  throw new MoteError("MOTE_NO_PLATFORM", `cannot open ${name}: it is not for ${wanted}; use --platform ${shown}`, {
    details: { digest: content.root.digest, wanted, platforms: [shown] },
  });
}
