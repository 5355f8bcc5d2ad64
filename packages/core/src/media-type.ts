/** Media types of the OCI image specification, also that of the artifact manifest of 1.1-rc, and those of Docker's image manifest version 2, schema 2. */
export const mediaTypes = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociArtifact: "application/vnd.oci.artifact.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  octetStream: "application/octet-stream",
} as const;

/** Whether the text is a media type, without parameters (RFC 6838, 4.2). */
export function isMediaType(text: string): boolean {
  return /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/.test(text);
}

/** Media types of what lists blobs. */
export function isImageManifestType(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.ociManifest ||
    mediaType === mediaTypes.dockerManifest ||
    mediaType === mediaTypes.ociArtifact
  );
}

/** Media types of what lists manifests. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList;
}

/** Media types whose content refers to other content. */
export function isManifestType(mediaType: string): boolean {
  return isImageManifestType(mediaType) || isIndexType(mediaType);
}

/** Returns the media type of a manifest or index that a text means, whatever its case and parameters; undefined for any other. */
export function knownManifestType(text: string): string | undefined {
  const [bare = ""] = text.split(";", 1);
  const type = bare.trim().toLowerCase();
  return isManifestType(type) ? type : undefined;
}

/**
 * Whether a media type is known to be of content that refers to nothing: layers and configurations, which build caches list in an index.
 * What else an index lists may be a manifest of a type that is not known.
 */
export function isContentType(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.(?:layer|config)\.|oci\.empty\.|docker\.(?:image\.rootfs|container\.image)\.|buildkit\.cacheconfig\.)/.test(
    mediaType,
  );
}

/** Every media type to ask a registry for a manifest in. */
export const manifestTypes: readonly string[] = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.ociArtifact,
];
