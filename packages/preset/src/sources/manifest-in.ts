import {
  type Cancellable,
  type ContentSource,
  type Descriptor,
  isManifestType,
  isNotFound,
  type Manifest,
  parseManifest,
} from "@mote/core";

/** Returns undefined for a manifest that is not there, such as that of another platform, and for other content. */
export async function manifestIn(
  source: Pick<ContentSource, "manifest">,
  descriptor: Descriptor,
  options: Cancellable,
): Promise<Manifest | undefined> {
  if (!isManifestType(descriptor.mediaType)) return undefined;
  try {
    return parseManifest(await source.manifest(descriptor, options), descriptor.mediaType);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
